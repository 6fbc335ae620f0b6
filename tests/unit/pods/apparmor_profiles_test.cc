#include "shim/pods/apparmor_profiles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/unit/network/temporary_directory.h"

namespace bulkhead::pods {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class AppArmorProfilesTest : public ::testing::Test {
 protected:
  AppArmorProfilesTest() { directory_.Write("profiles", "mine (enforce)\n"); }

  // A parser that keeps what it is given, and takes it for loaded.
  void InstallParser(const std::string& then = "") {
    directory_.Write(
        "parser",
        "#!/bin/sh\ncd " + directory_.path("") + "\ncat >policy; echo \"$*\" >>runs\n" + then,
        0755);
  }
  absl::Status Require(const std::string& name) { return profiles_.Require(name); }
  network::TemporaryDirectory directory_;
  AppArmorProfiles profiles_{{.loaded = directory_.path("profiles"),
                              .parser = directory_.path("parser"),
                              .policy = directory_.path("apparmor.d")}};
};

constexpr char kLoads[] = "echo 'bulkhead-default (enforce)' >>profiles\n";

TEST_F(AppArmorProfilesTest, WhatIsLoadedIsLeftAlone) {
  InstallParser();
  EXPECT_TRUE(Require("mine").ok());
  EXPECT_TRUE(Require("").ok());
  EXPECT_EQ(directory_.Read("runs"), "");
}

TEST_F(AppArmorProfilesTest, OneThatIsNotLoadedIsRefusedByName) {
  InstallParser(kLoads);
  const absl::Status status = Require("other");
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"other\""));
  EXPECT_EQ(directory_.Read("runs"), "");
}

TEST_F(AppArmorProfilesTest, TheDefaultOneIsLoadedWhenItIsMissing) {
  InstallParser(kLoads);
  EXPECT_TRUE(Require("bulkhead-default").ok());
  EXPECT_THAT(directory_.Read("policy"), StartsWith("profile bulkhead-default "));
  EXPECT_TRUE(Require("bulkhead-default").ok());
  EXPECT_EQ(directory_.Read("runs"), "--add\n");
  // As a tool does that takes away what has no file.
  directory_.Write("profiles", "mine (enforce)\n");
  EXPECT_TRUE(Require("bulkhead-default").ok());
  EXPECT_EQ(directory_.Read("runs"), "--add\n--add\n");
}

TEST_F(AppArmorProfilesTest, TheDefaultOneOfAnEarlierVersionIsReplaced) {
  InstallParser();
  directory_.Write("profiles", "bulkhead-default (enforce)\n");
  EXPECT_TRUE(profiles_.RenewDefault().ok());
  EXPECT_EQ(directory_.Read("runs"), "--replace\n");
  EXPECT_THAT(directory_.Read("policy"), StartsWith("profile bulkhead-default "));
}

TEST_F(AppArmorProfilesTest, ThePolicyNamesTheAbiWhereTheHostHasIt) {
  InstallParser(kLoads);
  directory_.Write("apparmor.d/abi/3.0", "");
  EXPECT_TRUE(Require("bulkhead-default").ok());
  EXPECT_THAT(directory_.Read("policy"), StartsWith("abi <abi/3.0>,\n"));
}

TEST_F(AppArmorProfilesTest, WhatTheParserSaysIsInTheError) {
  InstallParser("echo 'no such kernel' >&2; exit 3\n");
  const absl::Status status = Require("bulkhead-default");
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("\"bulkhead-default\""), HasSubstr("3: no such kernel")));
}

TEST_F(AppArmorProfilesTest, WithoutAParserTheDefaultOneIsRefused) {
  const absl::Status status = Require("bulkhead-default");
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("no " + directory_.path("parser")));
}

TEST_F(AppArmorProfilesTest, AKernelThatTellsNoProfilesIsAnError) {
  std::filesystem::remove(directory_.path("profiles"));
  EXPECT_THAT(std::string(Require("mine").message()), HasSubstr("\"mine\""));
  EXPECT_FALSE(Require("bulkhead-default").ok());
}

}  // namespace
}  // namespace bulkhead::pods
