#include "shim/streaming/channel_codec.h"

#include "absl/strings/escaping.h"

namespace bulkhead::streaming {
namespace {

constexpr uint8_t kCloseChannel = 255;

// Whole groups of four letters, padded at the end alone (RFC 4648, section 3.3). absl would also
// take blanks and lacking padding, and then what a message means would hang on how it came.
bool IsBase64(std::string_view text) {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const size_t letters = text.find_first_not_of(kLetters);
  if (letters == std::string_view::npos) return true;
  return text.size() - letters <= 2 && text.find_first_not_of('=', letters) == text.npos;
}

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

bool ChannelReader::Read(std::string_view piece, bool last, ChannelSink& sink) {
  if (failed_) return false;
  if (!in_message_ && !piece.empty()) {
    const auto first = static_cast<uint8_t>(piece.front());
    channel_ = base64_ ? static_cast<uint8_t>(first - '0') : first;
    in_message_ = true;
    piece.remove_prefix(1);
  }
  if (in_message_) failed_ = !ReadData(piece, last, sink);
  if (last) {
    in_message_ = padded_ = false;
    kept_.clear();
  }
  return !failed_;
}

bool ChannelReader::ReadData(std::string_view data, bool last, ChannelSink& sink) {
  if (has_close_ && channel_ == kCloseChannel) {
    kept_.append(data.substr(0, 2));
    if (kept_.size() > 1) return false;
    if (!last) return true;
    if (kept_.empty()) return false;
    sink.OnChannelClose(static_cast<uint8_t>(kept_.front()));
    return true;
  }
  if (base64_) return ReadBase64(data, last, sink);
  if (!data.empty()) sink.OnChannelData(channel_, data);
  return true;
}

bool ChannelReader::ReadBase64(std::string_view text, bool last, ChannelSink& sink) {
  kept_.append(text);
  const size_t whole = kept_.size() / 4 * 4;
  if (last && whole != kept_.size()) return false;
  if (whole == 0) return true;
  if (padded_) return false;
  padded_ = kept_[whole - 1] == '=';
  std::string data;
  if (!IsBase64(std::string_view(kept_).substr(0, whole))) return false;
  if (!absl::Base64Unescape(View(kept_).substr(0, whole), &data)) return false;
  kept_.erase(0, whole);
  if (!data.empty()) sink.OnChannelData(channel_, data);
  return true;
}

std::string EncodeChannelMessage(uint8_t channel, std::string_view data, bool base64) {
  std::string message;
  if (!base64) {
    message.reserve(data.size() + 1);
    message.push_back(static_cast<char>(channel));
    return message.append(data);
  }
  absl::Base64Escape(View(data), &message);
  return message.insert(0, 1, static_cast<char>('0' + channel));
}

}  // namespace bulkhead::streaming
