#include "shim/image/shared_pulls.h"

#include <utility>

#include "shim/image/http.h"
#include "shim/image/unpack.h"

namespace bulkhead::image {

absl::StatusOr<Image> SharedPulls::Join(const std::string& reference, const Auth& auth,
                                        const CallLimits& limits, const Work& work) {
  std::unique_lock lock(mutex_);
  auto boarded = Board(reference, auth, work);
  if (!boarded.ok()) return boarded.status();
  const std::shared_ptr<Flight> flight = *std::move(boarded);
  Wait(lock, *flight, limits);
  const bool given_up = !flight->result;
  if (--flight->waiting > 0) return given_up ? CheckLimits(limits) : *flight->result;
  // The last one: nobody joins any more, and the work is over before the call is.
  flights_.remove(flight);
  flight->stop.request_stop();
  landed_.wait(lock, [&] { return flight->result.has_value(); });
  lock.unlock();
  flight->thread.join();
  if (given_up && !flight->result->ok()) return CheckLimits(limits);
  return *flight->result;
}

absl::StatusOr<std::shared_ptr<SharedPulls::Flight>> SharedPulls::Board(
    const std::string& reference, const Auth& auth, const Work& work) {
  for (const std::shared_ptr<Flight>& flight : flights_) {
    if (flight->waiting == 0 || flight->result || flight->reference != reference ||
        flight->auth != auth) {
      continue;
    }
    ++flight->waiting;
    return flight;
  }
  auto flight = std::make_shared<Flight>();
  flight->reference = reference;
  flight->auth = auth;
  flight->waiting = 1;
  // A plain pointer: the last caller joins the thread before it lets the flight go.
  auto thread = StartThread([this, work, raw = flight.get()] {
    absl::StatusOr<Image> result = work(raw->stop.get_token());
    const std::lock_guard lock(mutex_);
    raw->result = std::move(result);
    landed_.notify_all();
  });
  if (!thread.ok()) return thread.status();
  flight->thread = *std::move(thread);
  flights_.push_back(flight);
  return flight;
}

void SharedPulls::Wait(std::unique_lock<std::mutex>& lock, Flight& flight,
                       const CallLimits& limits) {
  const auto landed = [&] { return flight.result.has_value(); };
  // A clock's time point cannot hold the infinite future.
  if (limits.deadline == absl::InfiniteFuture()) {
    landed_.wait(lock, limits.stop, landed);
  } else {
    landed_.wait_until(lock, limits.stop, absl::ToChronoTime(limits.deadline), landed);
  }
}

}  // namespace bulkhead::image
