#include "shim/image/registry_host.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bulkhead::image {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Urls(const std::string& text, const std::string& domain = "docker.io") {
  const auto hosts = ParseHostsToml(text, "/certs/docker.io/hosts.toml", domain);
  if (!hosts.ok()) return {std::string(hosts.status().message())};
  std::vector<std::string> urls;
  for (const RegistryHost& host : *hosts) urls.push_back(host.BaseUrl());
  return urls;
}

TEST(RegistryHosts, WithoutAFileAreTheRegistryItselfOverHttps) {
  const auto hub = RegistryHostsOf("docker.io", "/nonexistent");
  ASSERT_EQ(hub->size(), 1u);
  EXPECT_EQ(hub->front().BaseUrl(), "https://registry-1.docker.io/v2");
  EXPECT_FALSE(hub->front().is_mirror);
  EXPECT_EQ(RegistryHostsOf("quay.io", "")->front().BaseUrl(), "https://quay.io/v2");
}

TEST(RegistryHosts, OfLoopbackMayAlsoSpeakHttp) {
  const auto hosts = RegistryHostsOf("localhost:5000", "");
  ASSERT_EQ(hosts->size(), 2u);
  EXPECT_EQ((*hosts)[1].BaseUrl(), "http://localhost:5000/v2");
}

TEST(IsLoopback, KnowsTheNamesOfThisMachine) {
  for (const char* host : {"localhost", "localhost:1", "127.0.0.1", "127.8.8.8:5000", "[::1]:80"}) {
    EXPECT_TRUE(IsLoopback(host)) << host;
  }
  for (const char* host :
       {"localhost.example", "128.0.0.1", "10.0.0.1:5000", "[::2]:80", "127.0.0.1.example"}) {
    EXPECT_FALSE(IsLoopback(host)) << host;
  }
}

TEST(HostsToml, KeepsTheOrderOfTheFileAndTriesTheServerLast) {
  EXPECT_THAT(Urls("server = 'https://upstream.example'\n"
                   "[host.'https://z.example']\n"
                   "[host.'http://a.example:5000/mirror']\n"
                   "[host.'https://b.example/proxy/v2']\n"),
              ElementsAre("https://z.example/v2", "http://a.example:5000/mirror/v2",
                          "https://b.example/proxy/v2", "https://upstream.example/v2"));
}

TEST(HostsToml, FallsBackToTheRegistryWhereThereIsNoServer) {
  EXPECT_THAT(Urls("[host.'https://m.example']\n"),
              ElementsAre("https://m.example/v2", "https://registry-1.docker.io/v2"));
}

TEST(HostsToml, ReadsTheSettingsOfAHost) {
  const auto hosts = ParseHostsToml(
      "[host.'https://m.example/v2/cache']\n"
      "capabilities = ['pull']\nskip_verify = true\noverride_path = true\n"
      "ca = ['one.pem', '/two.pem']\nclient = [['c.pem', 'k.pem']]\n"
      "[host.'https://m.example/v2/cache'.header]\nx-token = ['1', '2']\n",
      "/certs/h/hosts.toml", "h");
  ASSERT_TRUE(hosts.ok()) << hosts.status();
  const RegistryHost& host = hosts->front();
  EXPECT_EQ(host.BaseUrl(), "https://m.example/v2/cache");
  EXPECT_TRUE(host.pull);
  EXPECT_FALSE(host.resolve);
  EXPECT_TRUE(host.skip_verify);
  EXPECT_TRUE(host.is_mirror);
  EXPECT_THAT(host.ca_files, ElementsAre("/certs/h/one.pem", "/two.pem"));
  EXPECT_EQ(host.client_certificate, "/certs/h/c.pem");
  EXPECT_EQ(host.client_key, "/certs/h/k.pem");
  EXPECT_THAT(host.headers, ElementsAre("x-token: 1", "x-token: 2"));
}

TEST(HostsToml, NamesFileAndLineOfAMistake) {
  EXPECT_THAT(Urls("\nskip_verfy = true\n")[0],
              HasSubstr("/certs/docker.io/hosts.toml:2: unknown key \"skip_verfy\""));
  EXPECT_THAT(Urls("[host.'https://m']\ncapabilities = ['fly']\n")[0],
              HasSubstr(":2: unknown capab"));
  EXPECT_THAT(Urls("[host.'ftp://m']\n")[0], HasSubstr("not an http or https URL"));
  EXPECT_THAT(Urls("[host.'https://u:p@m']\n")[0], HasSubstr("not an http or https URL"));
  EXPECT_THAT(Urls("server = 1\n")[0], HasSubstr("server must be a URL"));
  EXPECT_THAT(Urls("= broken")[0], HasSubstr("hosts.toml:1"));
}

}  // namespace
}  // namespace bulkhead::image
