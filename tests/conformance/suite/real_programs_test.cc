// Programs that people run, from Debian's packages: nginx and redis in one pod.
#include <signal.h>

#include <filesystem>
#include <sstream>

#include "tests/conformance/fixture/http.h"
#include "tests/conformance/fixture/pod_test.h"
#include "tests/conformance/fixture/tcp.h"

namespace bulkhead::fixture {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// What redis answers to a PING.
constexpr char kPong[] = "+PONG\r\n";

class RealPrograms : public PodTest {
 protected:
  ~RealPrograms() override {
    for (const std::string& image : pulled_) cri().RemoveImage(image).IgnoreError();
  }

  // Pulled from the registry, into which tests/images puts it.
  std::string Pull(const std::string& kind) {
    const std::string reference = suite().registry().host() + "/conformance/" + kind + ":1";
    RunCommand({BULKHEAD_IMAGES, "push", kind, reference});
    Must(cri().PullImage(reference));
    pulled_.push_back(reference);
    return reference;
  }

  // As the image has it, with the names of a kubelet's container.
  static v1::ContainerConfig Attempt(const std::string& image, const std::string& name,
                                     uint32_t attempt) {
    v1::ContainerConfig config;
    config.mutable_metadata()->set_name(name);
    config.mutable_metadata()->set_attempt(attempt);
    config.mutable_image()->set_image(image);
    config.set_log_path(name + "." + std::to_string(attempt) + ".log");
    config.mutable_linux()->mutable_security_context()->mutable_namespace_options()->set_pid(
        v1::CONTAINER);
    return config;
  }

  // The container's first process, which no process of its own namespace can kill.
  pid_t FirstProcess(const std::string& id) {
    std::string wanted = Exec(id, "readlink /proc/self/ns/pid");
    wanted.pop_back();
    for (const auto& entry : fs::directory_iterator("/proc")) {
      std::error_code gone;
      if (fs::read_symlink(entry.path() / "ns/pid", gone) != wanted) continue;
      std::istringstream status(ReadFile(entry.path() / "status"));
      for (std::string line; std::getline(status, line);) {
        if (line.starts_with("NSpid:") && line.ends_with("\t1")) {
          return std::stoi(entry.path().filename());
        }
      }
    }
    throw std::runtime_error("the container has no first process");
  }

  void AwaitNginx(const std::string& ip) {
    const std::string url = "http://" + ip + "/";
    Await([&] { return Http("GET", url).status == 200; }, url);
    EXPECT_THAT(Http("GET", url).body, HasSubstr("Welcome to nginx"));
  }
  void AwaitRedis(const std::string& ip) {
    Await([&] { return AskTcp(ip, 6379, "PING\r\n") == kPong; }, "redis at " + ip);
  }
  // The first one reaches the second through the pod's loopback link and the other way round.
  void ExpectEachOther(const std::string& nginx, const std::string& redis) {
    EXPECT_EQ(Exec(nginx, "{ printf 'PING\\r\\n'; sleep 0.2; } | nc 127.0.0.1 6379"), kPong);
    EXPECT_THAT(Exec(redis, "wget -qO- http://127.0.0.1/"), HasSubstr("Welcome to nginx"));
  }
  size_t Served(const std::string& nginx) {
    const std::string log = client::StreamOf(Log(nginx), "stdout");
    const std::string line = "\"GET / HTTP/1.1\" 200";
    size_t count = 0;
    for (size_t at = log.find(line); at != log.npos; at = log.find(line, at + 1)) ++count;
    return count;
  }

 private:
  std::vector<std::string> pulled_;
};

TEST_F(RealPrograms, NginxAndRedisInAPodAreReachedAndRestartedWithTheirLogsKept) {
  const std::string nginx_image = Pull("nginx");
  const std::string redis_image = Pull("redis");
  Pod pod = RunPod();
  const std::string ip = Must(cri().PodSandboxStatus(pod.id)).status().network().ip();
  const std::string nginx = Start(pod, Attempt(nginx_image, "nginx", 0));
  const std::string redis = Start(pod, Attempt(redis_image, "redis", 0));
  AwaitNginx(ip);
  AwaitRedis(ip);
  ExpectEachOther(nginx, redis);

  for (const std::string& id : {nginx, redis}) {
    kill(FirstProcess(id), SIGKILL);
    EXPECT_EQ(AwaitExit(id).exit_code(), 137);
  }
  EXPECT_EQ(Http("GET", "http://" + ip + "/").status, 0);
  const size_t served = Served(nginx);
  EXPECT_GE(served, 2u);
  const std::string redis_log = client::StreamOf(Log(redis), "stdout");
  EXPECT_THAT(redis_log, HasSubstr("Ready to accept connections"));

  const std::string second_nginx = Start(pod, Attempt(nginx_image, "nginx", 1));
  const std::string second_redis = Start(pod, Attempt(redis_image, "redis", 1));
  AwaitNginx(ip);
  AwaitRedis(ip);
  ExpectEachOther(second_nginx, second_redis);
  // The pod kept its address, and each attempt its own log.
  EXPECT_EQ(Must(cri().PodSandboxStatus(pod.id)).status().network().ip(), ip);
  EXPECT_EQ(Served(nginx), served);
  EXPECT_GE(Served(second_nginx), 2u);
  EXPECT_EQ(client::StreamOf(Log(redis), "stdout"), redis_log);
  v1::ContainerFilter of_pod;
  of_pod.set_pod_sandbox_id(pod.id);
  EXPECT_EQ(Must(cri().ListContainers(of_pod)).size(), 4u);

  // Each ends by the signal of its image: nginx by SIGQUIT.
  EXPECT_TRUE(cri().StopContainer(second_nginx, std::chrono::seconds(10)).ok());
  EXPECT_TRUE(cri().StopContainer(second_redis, std::chrono::seconds(10)).ok());
  EXPECT_EQ(Status(second_nginx).exit_code(), 0);
  EXPECT_EQ(Status(second_redis).exit_code(), 0);
}

}  // namespace
}  // namespace bulkhead::fixture
