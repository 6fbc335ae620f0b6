#include "tests/kernel/pods/stream_client.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

namespace bulkhead::pods {
namespace {

using Clock = std::chrono::steady_clock;

bool Await(int fd, short events, Clock::time_point until) {
  pollfd polled{fd, events, 0};
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
    if (left.count() <= 0) return false;
    if (poll(&polled, 1, static_cast<int>(left.count())) == 1) return true;
  }
}

std::string ReadWhile(int fd, const std::function<bool(const std::string&)>& more) {
  const auto until = Clock::now() + kPatience;
  std::string text;
  char buffer[65536];
  while (more(text)) {
    const ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n > 0) {
      text.append(buffer, n);
    } else if (n == 0 || errno == EIO) {
      break;
    } else if (errno != EAGAIN) {
      return text + "[read failed]";
    } else if (!Await(fd, POLLIN, until)) {
      return text + "[no more came in time]";
    }
  }
  return text;
}

}  // namespace

std::string ReadToEnd(int fd) {
  return ReadWhile(fd, [](const std::string&) { return true; });
}

std::string ReadUntil(int fd, std::string_view text) {
  return ReadWhile(
      fd, [text](const std::string& read) { return read.find(text) == std::string::npos; });
}

bool WriteAll(int fd, std::string_view text) {
  const auto until = Clock::now() + kPatience;
  while (!text.empty()) {
    const ssize_t n = write(fd, text.data(), text.size());
    if (n > 0) {
      text.remove_prefix(n);
    } else if (errno != EAGAIN || !Await(fd, POLLOUT, until)) {
      return false;
    }
  }
  return true;
}

bool AwaitReadable(int fd, std::chrono::milliseconds patience) {
  return Await(fd, POLLIN, Clock::now() + patience);
}

int AwaitCode(AttachedProcess& process) {
  if (!AwaitReadable(process.ended_fd())) return -1;
  return process.ExitCode().value_or(-1);
}

}  // namespace bulkhead::pods
