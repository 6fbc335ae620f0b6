// bulkhead-quickstart SOCKET run IMAGE | remove: the CRI client of deploy/quickstart.sh. `run`
// ends its output with a line that holds the container's id alone; `remove` prints how many other
// pods there are.
#include <chrono>
#include <iostream>
#include <memory>
#include <string>

#include "deploy/quickstart/first_pod.h"

namespace bulkhead::quickstart {
namespace {

absl::Status Run(const std::string& socket, const std::string& command, const std::string& image) {
  const auto client = client::Client::Connect(socket, std::chrono::seconds(30));
  if (!client.ok()) return client.status();
  if (command == "run") {
    const absl::StatusOr<std::string> container = RunFirstPod(**client, image, std::cout);
    if (!container.ok()) return container.status();
    std::cout << *container << "\n";
    return absl::OkStatus();
  }
  const absl::StatusOr<int> others = RemoveFirstPod(**client);
  if (!others.ok()) return others.status();
  std::cout << *others << "\n";
  return absl::OkStatus();
}

}  // namespace
}  // namespace bulkhead::quickstart

int main(int argc, char** argv) {
  const std::string command = argc > 2 ? argv[2] : "";
  if (!(command == "run" && argc == 4) && !(command == "remove" && argc == 3)) {
    std::cerr << "usage: bulkhead-quickstart SOCKET run IMAGE | SOCKET remove\n";
    return 2;
  }
  const absl::Status status = bulkhead::quickstart::Run(argv[1], command, argc == 4 ? argv[3] : "");
  if (status.ok()) return 0;
  std::cerr << "bulkhead-quickstart: " << status << "\n";
  return 1;
}
