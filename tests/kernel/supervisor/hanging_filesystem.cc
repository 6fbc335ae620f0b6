#include "tests/kernel/supervisor/hanging_filesystem.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>
#include <vector>

namespace bulkhead::supervisor {
namespace {

constexpr uint64_t kLogNode = 2;

void Answer(const UniqueFd& device, uint64_t unique, int error, const void* body, size_t size) {
  fuse_out_header header = {static_cast<uint32_t>(sizeof(header) + size), -error, unique};
  iovec parts[] = {{&header, sizeof(header)}, {const_cast<void*>(body), size}};
  [[maybe_unused]] const ssize_t n = writev(device.get(), parts, size > 0 ? 2 : 1);
}

fuse_attr AttributesOf(uint64_t node) {
  fuse_attr attributes = {};
  attributes.ino = node;
  attributes.mode = node == kLogNode ? S_IFREG | 0640 : S_IFDIR | 0755;
  attributes.nlink = 1;
  attributes.blksize = 4096;
  return attributes;
}

void AnswerInit(const UniqueFd& device, const fuse_in_header& request) {
  fuse_init_out out = {};
  out.major = FUSE_KERNEL_VERSION;
  out.minor = FUSE_KERNEL_MINOR_VERSION;
  out.max_write = 128 * 1024;
  Answer(device, request.unique, 0, &out, sizeof(out));
}

void AnswerLookup(const UniqueFd& device, const fuse_in_header& request, const char* name) {
  if (strcmp(name, "log") != 0) return Answer(device, request.unique, ENOENT, nullptr, 0);
  fuse_entry_out out = {};
  out.nodeid = kLogNode;
  out.attr = AttributesOf(kLogNode);
  Answer(device, request.unique, 0, &out, sizeof(out));
}

void AnswerAttributes(const UniqueFd& device, const fuse_in_header& request) {
  fuse_attr_out out = {};
  out.attr = AttributesOf(request.nodeid);
  Answer(device, request.unique, 0, &out, sizeof(out));
}

}  // namespace

HangingFilesystem::HangingFilesystem(std::string mount_point)
    : mount_point_(std::move(mount_point)),
      device_(open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK)),
      stop_(eventfd(0, EFD_CLOEXEC)),
      written_(eventfd(0, EFD_CLOEXEC)) {
  EXPECT_TRUE(device_.valid()) << "/dev/fuse: " << strerror(errno);
  const std::string options =
      "fd=" + std::to_string(device_.get()) + ",rootmode=40000,user_id=0,group_id=0";
  EXPECT_EQ(mount("hanging", mount_point_.c_str(), "fuse", 0, options.c_str()), 0)
      << strerror(errno);
  server_ = std::thread([this] { Serve(); });
}

HangingFilesystem::~HangingFilesystem() {
  const uint64_t one = 1;
  EXPECT_EQ(write(stop_.get(), &one, sizeof(one)), 8);
  server_.join();
  // Aborts the connection: whatever hangs gets ENOTCONN.
  device_.reset();
  EXPECT_EQ(umount2(mount_point_.c_str(), MNT_DETACH), 0);
}

void HangingFilesystem::AwaitWrite() {
  uint64_t count;
  EXPECT_EQ(read(written_.get(), &count, sizeof(count)), 8);
}

void HangingFilesystem::Serve() {
  std::vector<char> buffer(256 * 1024);
  while (true) {
    pollfd waiting[] = {{device_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    poll(waiting, 2, -1);
    if (waiting[1].revents != 0) return;
    const ssize_t n = read(device_.get(), buffer.data(), buffer.size());
    if (n < static_cast<ssize_t>(sizeof(fuse_in_header))) continue;
    fuse_in_header request;
    memcpy(&request, buffer.data(), sizeof(request));
    const uint64_t one = 1;
    switch (request.opcode) {
      case FUSE_INIT:
        AnswerInit(device_, request);
        break;
      case FUSE_LOOKUP:
        AnswerLookup(device_, request, buffer.data() + sizeof(request));
        break;
      case FUSE_GETATTR:
        AnswerAttributes(device_, request);
        break;
      case FUSE_OPEN: {
        const fuse_open_out out = {};
        Answer(device_, request.unique, 0, &out, sizeof(out));
        break;
      }
      case FUSE_WRITE:  // Never answered.
        EXPECT_EQ(write(written_.get(), &one, sizeof(one)), 8);
        break;
      case FUSE_FORGET:
      case FUSE_BATCH_FORGET:
      case FUSE_INTERRUPT:
        break;
      case FUSE_FLUSH:
      case FUSE_RELEASE:
        Answer(device_, request.unique, 0, nullptr, 0);
        break;
      default:
        Answer(device_, request.unique, ENOSYS, nullptr, 0);
    }
  }
}

}  // namespace bulkhead::supervisor
