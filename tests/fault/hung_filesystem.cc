#include "tests/fault/hung_filesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <stdexcept>

namespace bulkhead::fault {
namespace {

constexpr uint32_t kMaxWrite = 128 * 1024;

template <typename Struct>
Struct Read(const std::vector<char>& bytes, size_t offset) {
  Struct value{};
  if (bytes.size() >= offset + sizeof value) memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

template <typename Struct>
std::string Bytes(const Struct& value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace

HungFilesystem::HungFilesystem(const std::filesystem::path& mount_point)
    : mount_point_(mount_point),
      device_(open("/dev/fuse", O_RDWR | O_CLOEXEC)),
      stop_(eventfd(0, EFD_CLOEXEC)) {
  std::filesystem::create_directories(mount_point_);
  const std::string options =
      "fd=" + std::to_string(device_.get()) + ",rootmode=40755,user_id=0,group_id=0,allow_other";
  if (mount("hung", mount_point_.c_str(), "fuse", 0, options.c_str()) < 0) {
    throw std::runtime_error("mount of a FUSE file system: " + std::string(strerror(errno)));
  }
  thread_ = std::thread([this] { Serve(); });
}

HungFilesystem::~HungFilesystem() {
  eventfd_write(stop_.get(), 1);
  thread_.join();
  umount2(mount_point_.c_str(), MNT_DETACH);
  // Closing the device ends the connection; whoever waits gets ENOTCONN.
  device_.reset();
}

void HungFilesystem::Serve() {
  std::vector<char> buffer(kMaxWrite + 4096);
  for (;;) {
    pollfd ready[2] = {{device_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    // A hung one does not even read.
    if (poll(hung_ ? ready + 1 : ready, hung_ ? 1 : 2, 50) < 0 && errno != EINTR) return;
    if (ready[1].revents != 0) return;
    if (hung_ || ready[0].revents == 0) continue;
    const ssize_t size = read(device_.get(), buffer.data(), buffer.size());
    if (size < 0 && (errno == EINTR || errno == ENOENT)) continue;
    if (size < static_cast<ssize_t>(sizeof(fuse_in_header))) return;
    Answer(std::vector<char>(buffer.begin(), buffer.begin() + size));
  }
}

void HungFilesystem::Reply(uint64_t unique, int error, const std::string& body) {
  fuse_out_header header{
      .len = static_cast<uint32_t>(sizeof header + body.size()), .error = -error, .unique = unique};
  iovec parts[2] = {{&header, sizeof header}, {const_cast<char*>(body.data()), body.size()}};
  // Fails only for a request that was interrupted.
  if (writev(device_.get(), parts, 2) < 0) return;
}

uint64_t HungFilesystem::NodeOf(const std::string& name, bool create) {
  auto node = nodes_.find(name);
  if (node != nodes_.end()) return node->second;
  if (!create) return 0;
  return nodes_[name] = FUSE_ROOT_ID + 1 + nodes_.size();
}

std::string HungFilesystem::AttributesOf(uint64_t node) const {
  fuse_attr attributes{};
  attributes.ino = node;
  attributes.mode = node == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0640;
  attributes.nlink = 1;
  attributes.blksize = 4096;
  const auto size = sizes_.find(node);
  attributes.size = size == sizes_.end() ? 0 : size->second;
  return Bytes(attributes);
}

std::string HungFilesystem::EntryOf(uint64_t node) const {
  fuse_entry_out entry{};
  entry.nodeid = node;
  std::string bytes = Bytes(entry);
  const std::string attributes = AttributesOf(node);
  return bytes.replace(offsetof(fuse_entry_out, attr), attributes.size(), attributes);
}

void HungFilesystem::Answer(const std::vector<char>& request) {
  const auto header = Read<fuse_in_header>(request, 0);
  const size_t body = sizeof header;
  switch (header.opcode) {
    case FUSE_INIT: {
      fuse_init_out init{};
      init.major = FUSE_KERNEL_VERSION;
      init.minor = FUSE_KERNEL_MINOR_VERSION;
      init.max_write = kMaxWrite;
      return Reply(header.unique, 0, Bytes(init));
    }
    case FUSE_GETATTR:
    case FUSE_SETATTR:
      return Reply(header.unique, 0,
                   Bytes(fuse_attr_out{}).substr(0, 16) + AttributesOf(header.nodeid));
    case FUSE_LOOKUP: {
      const uint64_t node = NodeOf(request.data() + body, false);
      return node == 0 ? Reply(header.unique, ENOENT) : Reply(header.unique, 0, EntryOf(node));
    }
    case FUSE_CREATE: {
      const uint64_t node = NodeOf(request.data() + body + sizeof(fuse_create_in), true);
      return Reply(header.unique, 0, EntryOf(node) + Bytes(fuse_open_out{}));
    }
    case FUSE_OPEN:
    case FUSE_OPENDIR:
      return Reply(header.unique, 0, Bytes(fuse_open_out{}));
    case FUSE_WRITE: {
      const auto write = Read<fuse_write_in>(request, body);
      written_ += write.size;
      uint64_t& size = sizes_[header.nodeid];
      size = std::max(size, write.offset + write.size);
      fuse_write_out out{};
      out.size = write.size;
      return Reply(header.unique, 0, Bytes(out));
    }
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
      return;  // These have no answer.
    case FUSE_FLUSH:
    case FUSE_FSYNC:
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
    case FUSE_ACCESS:
      return Reply(header.unique, 0);
    default:
      return Reply(header.unique, ENOSYS);
  }
}

}  // namespace bulkhead::fault
