// The server with TLS, and certificates that are replaced.
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "gmock/gmock.h"
#include "shim/streaming/tls.h"
#include "tests/conformance/client/streaming/http_upgrade.h"
#include "tests/unit/streaming/server_test.h"

namespace bulkhead::streaming {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class TlsTest : public ServerTest {
 protected:
  void SetUp() override {
    char name[] = "/tmp/tls.XXXXXX";
    folder_ = mkdtemp(name);
    MakeCertificate("first");
    Restart({.address = "127.0.0.1", .tls_certificate = Certificate(), .tls_key = Key()});
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Certificate() const { return folder_ + "/tls.crt"; }
  std::string Key() const { return folder_ + "/tls.key"; }

  // Replaces both files, by rename as Kubernetes and cert-manager do.
  void MakeCertificate(const std::string& name) {
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=" +
        name + " -keyout " + Key() + ".new -out " + Certificate() + ".new 2>/dev/null";
    ASSERT_EQ(system(command.c_str()), 0);
    std::filesystem::rename(Key() + ".new", Key());
    std::filesystem::rename(Certificate() + ".new", Certificate());
  }

  static std::string Read(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // In place, so that the file looks unchanged but for what is in it.
  static void OverwriteKeepingItsTime(const std::string& path, const std::string& text) {
    const auto time = std::filesystem::last_write_time(path);
    std::fstream(path, std::ios::in | std::ios::out) << text;
    std::filesystem::last_write_time(path, time);
  }

  // Asks for "/": the certificate's subject and the answer. Versions up to `newest`.
  std::pair<std::string, std::string> Ask(int newest = TLS1_3_VERSION) {
    const auto socket = client::ConnectTo("http" + server_->base_url().substr(5) + "/");
    EXPECT_TRUE(socket.ok()) << socket.status();
    const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_method()),
                                                                    SSL_CTX_free);
    SSL_CTX_set_security_level(context.get(), 0);  // Old versions are for the server to refuse.
    SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context.get(), newest);
    const std::unique_ptr<SSL, decltype(&SSL_free)> tls(SSL_new(context.get()), SSL_free);
    SSL_set_fd(tls.get(), socket->get());
    if (SSL_connect(tls.get()) != 1) return {"refused", ""};
    char subject[256];
    X509* const certificate = SSL_get_peer_certificate(tls.get());
    X509_NAME_oneline(X509_get_subject_name(certificate), subject, sizeof(subject));
    X509_free(certificate);
    constexpr char kRequest[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    SSL_write(tls.get(), kRequest, sizeof(kRequest) - 1);
    char answer[4096];
    const int size = SSL_read(tls.get(), answer, sizeof(answer));
    return {subject, std::string(answer, size > 0 ? size : 0)};
  }

  std::string folder_;
};

TEST_F(TlsTest, ServesOverTls) {
  EXPECT_THAT(server_->base_url(), StartsWith("https://127.0.0.1:"));
  const auto [subject, answer] = Ask();
  EXPECT_THAT(subject, HasSubstr("CN=first"));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 404 "));
}

TEST_F(TlsTest, ReadsReplacedFilesForTheNextConnection) {
  MakeCertificate("second");
  EXPECT_THAT(Ask().first, HasSubstr("CN=second"));
}

TEST_F(TlsTest, KeepsTheOldCertificateWhileTheFilesAreNoPair) {
  std::filesystem::copy_file(Key(), Key() + ".old");
  MakeCertificate("second");
  std::filesystem::rename(Key() + ".old", Key());
  EXPECT_THAT(Ask().first, HasSubstr("CN=first"));
  MakeCertificate("third");
  EXPECT_THAT(Ask().first, HasSubstr("CN=third"));
}

// The lack of a descriptor leaves no trace in the file either.
TEST_F(TlsTest, ReadsFilesAgainThatCouldNotBeReadOnce) {
  auto tls = Tls::Load(Certificate(), Key());
  ASSERT_TRUE(tls.ok()) << tls.status();
  const auto first = (*tls)->current();
  MakeCertificate("second");
  const std::string text = Read(Certificate());
  OverwriteKeepingItsTime(Certificate(), std::string(text.size(), '?'));
  EXPECT_FALSE((*tls)->Refresh().ok());
  EXPECT_TRUE((*tls)->Refresh().ok()) << "is told once";
  EXPECT_EQ((*tls)->current(), first);
  OverwriteKeepingItsTime(Certificate(), text);
  EXPECT_TRUE((*tls)->Refresh().ok());
  EXPECT_NE((*tls)->current(), first);
}

TEST_F(TlsTest, RefusesVersionsBefore12) {
  EXPECT_EQ(Ask(TLS1_1_VERSION).first, "refused");
  EXPECT_THAT(Ask(TLS1_2_VERSION).first, HasSubstr("CN=first"));
}

TEST_F(TlsTest, DropsClientsThatDoNotSpeakTls) {
  const auto answer =
      client::Upgrade("http" + server_->base_url().substr(5) + "/", "GET", {"Connection: close"});
  EXPECT_FALSE(answer.ok());
}

}  // namespace
}  // namespace bulkhead::streaming
