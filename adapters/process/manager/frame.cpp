// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <manager/frame.hpp>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

namespace coproc::detail {
namespace {

constexpr std::size_t buffer_size = 64 * 1024;
constexpr std::size_t reserve_limit = 256 * 1024; // more is taken as it comes

} // namespace

frame_parser::frame_parser(std::size_t limit)
    : buffer_(sizeof(frame_header) + stranger_limit), limit_{limit} {}

void frame_parser::allow(std::size_t limit, std::uint32_t descriptors) noexcept {
    limit_ = limit;
    descriptors_ = descriptors;
}

std::span<std::byte> frame_parser::room() {
    if (begin_ == end_) begin_ = end_ = 0;
    if (end_ == buffer_.size()) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
        // next() leaves less than a header behind, so there is room; more of it once it pays.
        if (limit_ > stranger_limit && buffer_.size() < buffer_size) buffer_.resize(buffer_size);
    }
    return std::span{buffer_}.subspan(end_);
}

void frame_parser::feed(std::span<const std::byte> bytes) {
    if (begin_ == end_) begin_ = end_ = 0;
    if (buffer_.size() - end_ < bytes.size()) buffer_.resize(end_ + bytes.size());
    std::copy(bytes.begin(), bytes.end(), buffer_.begin() + static_cast<std::ptrdiff_t>(end_));
    end_ += bytes.size();
}

bool frame_parser::next(frame& out) {
    if (!in_payload_) {
        if (end_ - begin_ < sizeof(frame_header)) return false;
        std::memcpy(&open_.header, buffer_.data() + begin_, sizeof(frame_header));
        if (open_.header.size > limit_)
            throw protocol_error{"coproc: a manager's peer announces a message of " +
                                 std::to_string(open_.header.size) + " bytes; the limit is " +
                                 std::to_string(limit_)};
        if (open_.header.descriptors > descriptors_)
            throw protocol_error{"coproc: a manager's peer announces descriptors that cannot come"};
        begin_ += sizeof(frame_header);
        open_.payload.clear();
        open_.payload.reserve(std::min(reserve_limit, static_cast<std::size_t>(open_.header.size)));
        in_payload_ = true;
    }
    const std::size_t wanted = static_cast<std::size_t>(open_.header.size) - open_.payload.size();
    const std::size_t here = std::min(wanted, end_ - begin_);
    const std::byte* const from = buffer_.data() + begin_;
    open_.payload.insert(open_.payload.end(), from, from + here);
    begin_ += here;
    if (here != wanted) return false;
    in_payload_ = false;
    out = std::exchange(open_, frame{});
    return true;
}

} // namespace coproc::detail
