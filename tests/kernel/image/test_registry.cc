#include "tests/kernel/image/test_registry.h"

#include <arpa/inet.h>
#include <crypt.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <future>
#include <stdexcept>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "shim/image/digest.h"

namespace bulkhead::image {
namespace {

int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t size = sizeof(address);
  bind(fd, reinterpret_cast<sockaddr*>(&address), size);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  close(fd);
  return ntohs(address.sin_port);
}

void Write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

// One line of an htpasswd file; the registry takes bcrypt only.
std::string Htpasswd(const std::string& user, const std::string& password) {
  crypt_data data = {};
  const char* hash = crypt_r(password.c_str(), "$2y$05$abcdefghijklmnopqrstuu", &data);
  return absl::StrCat(user, ":", hash == nullptr ? "" : hash, "\n");
}

size_t TakeLocation(char* data, size_t, size_t size, void* location) {
  const std::string line(data, size);
  if (absl::AsciiStrToLower(line.substr(0, 9)) == "location:") {
    *static_cast<std::string*>(location) = std::string(absl::StripAsciiWhitespace(line.substr(9)));
  }
  return size;
}

size_t DropBody(char*, size_t, size_t size, void*) { return size; }

void MakeCertificate(const std::string& certificate, const std::string& key) {
  const std::string command = absl::StrCat(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
      "-subj /CN=test -addext subjectAltName=IP:127.0.0.1 -out ",
      certificate, " -keyout ", key, " 2>/dev/null");
  if (system(command.c_str()) != 0) throw std::runtime_error("openssl req");
}

void DrainLog(int fd, std::promise<bool> ready) {
  FILE* log = fdopen(fd, "r");
  std::array<char, 4096> line;
  bool told = false;
  while (fgets(line.data(), line.size(), log) != nullptr) {
    if (told || std::string(line.data()).find("listening on") == std::string::npos) continue;
    ready.set_value(true);
    told = true;
  }
  if (!told) ready.set_value(false);
  fclose(log);
}

std::string LayerType(Compression compression, bool docker) {
  const std::string base = docker ? "application/vnd.docker.image.rootfs.diff.tar"
                                  : "application/vnd.oci.image.layer.v1.tar";
  const char* separator = docker ? "." : "+";
  if (compression == Compression::kNone) return base;
  return absl::StrCat(base, separator, compression == Compression::kGzip ? "gzip" : "zstd");
}

std::string DescriptorJson(const std::string& type, const BuiltImage::Blob& blob) {
  return absl::StrCat(R"({"mediaType":")", type, R"(","digest":")", blob.digest, R"(","size":)",
                      blob.content.size(), "}");
}

}  // namespace

BuiltImage Build(const TestImage& image) {
  BuiltImage built;
  std::vector<std::string> descriptors;
  for (size_t i = 0; i < image.layers.size(); ++i) {
    const Compression compression = image.compressions[std::min(i, image.compressions.size() - 1)];
    const std::string content = Compress(image.layers[i], compression);
    built.layers.push_back({Digest::Of(content).str(), content});
    built.diff_ids.push_back(Digest::Of(image.layers[i]).str());
    descriptors.push_back(
        DescriptorJson(LayerType(compression, image.docker_types), built.layers.back()));
  }
  const auto quote = [](std::string* out, const std::string& text) {
    absl::StrAppend(out, "\"", text, "\"");
  };
  const std::string config =
      absl::StrCat(R"({"os":"linux","architecture":"amd64","config":)", image.config,
                   R"(,"rootfs":{"type":"layers","diff_ids":[)",
                   absl::StrJoin(built.diff_ids, ",", quote), "]}}");
  built.config = {Digest::Of(config).str(), config};
  built.manifest_type = image.docker_types ? "application/vnd.docker.distribution.manifest.v2+json"
                                           : "application/vnd.oci.image.manifest.v1+json";
  const std::string config_type = image.docker_types
                                      ? "application/vnd.docker.container.image.v1+json"
                                      : "application/vnd.oci.image.config.v1+json";
  const std::string manifest =
      absl::StrCat(R"({"schemaVersion":2,"mediaType":")", built.manifest_type, R"(","config":)",
                   DescriptorJson(config_type, built.config), R"(,"layers":[)",
                   absl::StrJoin(descriptors, ","), "]}");
  built.manifest = {Digest::Of(manifest).str(), manifest};
  return built;
}

TestRegistry::TestRegistry(Options options) : options_(std::move(options)), port_(FreePort()) {
  std::string auth, tls;
  if (!options_.user.empty()) {
    Write(scratch_ / "htpasswd", Htpasswd(options_.user, options_.password));
    auth = absl::StrCat("auth: {htpasswd: {realm: test, path: ", scratch_ / "htpasswd", "}}\n");
  }
  if (options_.tls) {
    MakeCertificate(scratch_ / "cert.pem", scratch_ / "key.pem");
    tls = absl::StrCat(", tls: {certificate: ", scratch_ / "cert.pem",
                       ", key: ", scratch_ / "key.pem", "}");
  }
  Write(scratch_ / "config.yml",
        absl::StrCat("version: 0.1\nlog: {level: info}\nstorage: {filesystem: {rootdirectory: ",
                     scratch_ / "data", "}}\nhttp: {addr: '", host(), "'", tls, "}\n", auth));
  Start();
}

void TestRegistry::Start() {
  std::array<int, 2> pipe_ends;
  if (pipe2(pipe_ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], 2);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  std::string config = scratch_ / "config.yml";
  char name[] = "docker-registry", verb[] = "serve";
  std::array<char*, 4> arguments = {name, verb, config.data(), nullptr};
  const int error = posix_spawnp(&pid_, name, &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(pipe_ends[1]);
  if (error != 0) throw std::runtime_error("docker-registry is missing: install it");
  // Ready once its log says so; the thread reads on, or a full pipe would stop the registry.
  std::promise<bool> ready;
  std::future<bool> is_ready = ready.get_future();
  log_reader_ = std::jthread([log = pipe_ends[0], ready = std::move(ready)]() mutable {
    DrainLog(log, std::move(ready));
  });
  if (!is_ready.get()) throw std::runtime_error("docker-registry did not start");
}

TestRegistry::~TestRegistry() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

std::string TestRegistry::BlobFile(const std::string& digest) const {
  const std::string hex = digest.substr(7);
  return scratch_ /
         absl::StrCat("data/docker/registry/v2/blobs/sha256/", hex.substr(0, 2), "/", hex, "/data");
}

long TestRegistry::Send(const std::string& method, const std::string& path, const std::string& type,
                        const std::string& body, std::string* location) {
  CURL* curl = curl_easy_init();
  const std::string url = path.starts_with("http")
                              ? path
                              : absl::StrCat(options_.tls ? "https://" : "http://", host(), path);
  curl_slist* headers = curl_slist_append(nullptr, ("Content-Type: " + type).c_str());
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method.c_str());
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, DropBody);
  if (location != nullptr) {
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, TakeLocation);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, location);
  }
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
  if (!options_.user.empty()) {
    curl_easy_setopt(curl, CURLOPT_USERPWD,
                     absl::StrCat(options_.user, ":", options_.password).c_str());
  }
  long status = 0;
  curl_easy_perform(curl);
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  curl_slist_free_all(headers);
  curl_easy_cleanup(curl);
  return status;
}

void TestRegistry::PushBlob(const std::string& repository, const BuiltImage::Blob& blob) {
  std::string location;
  const long begun = Send("POST", absl::StrCat("/v2/", repository, "/blobs/uploads/"), "text/plain",
                          "", &location);
  if (begun != 202) throw std::runtime_error(absl::StrCat("begin upload: HTTP ", begun));
  const std::string url = absl::StrCat(
      location, location.find('?') == std::string::npos ? "?" : "&", "digest=", blob.digest);
  const long done = Send("PUT", url, "application/octet-stream", blob.content, nullptr);
  if (done != 201) throw std::runtime_error(absl::StrCat("upload: HTTP ", done));
}

void TestRegistry::PushManifest(const std::string& repository, const std::string& tag,
                                const std::string& type, const std::string& content) {
  const long status =
      Send("PUT", absl::StrCat("/v2/", repository, "/manifests/", tag), type, content, nullptr);
  if (status != 201) throw std::runtime_error(absl::StrCat("put manifest: HTTP ", status));
}

void TestRegistry::Push(const std::string& repository, const std::string& tag,
                        const BuiltImage& image) {
  for (const BuiltImage::Blob& layer : image.layers) PushBlob(repository, layer);
  PushBlob(repository, image.config);
  PushManifest(repository, tag, image.manifest_type, image.manifest.content);
}

}  // namespace bulkhead::image
