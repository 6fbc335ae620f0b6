#include "shim/pods/pod_log.h"

#include <utility>

namespace bulkhead::pods {

Event LogEvent(std::string what, const Pod& pod) {
  const spec::PodMetadata& metadata = pod.record.spec.metadata;
  return Event(std::move(what))
      .With("pod", metadata.name)
      .With("namespace", metadata.name_space)
      .With("pod_id", pod.record.id);
}

Event LogEvent(std::string what, const Pod& pod, const Container& container) {
  return LogEvent(std::move(what), pod)
      .With("container", container.record.spec.metadata.name)
      .With("container_id", container.record.id);
}

}  // namespace bulkhead::pods
