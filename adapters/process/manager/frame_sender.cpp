// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <manager/frame_sender.hpp>

#include <array>
#include <cstring>

namespace coproc::detail {
namespace {

constexpr std::size_t one_piece = 4096; // header and payload are put together up to here

} // namespace

bool frame_sender::send_descriptors(transport& to, entry& next) {
    if (next.descriptors.empty() || next.descriptors_sent) return true;
    std::vector<int> numbers;
    for (const auto& each : next.descriptors)
        numbers.push_back(each->get());
    next.descriptors_sent = to.send_descriptors(numbers);
    return next.descriptors_sent;
}

bool frame_sender::withdraw(std::uint64_t id) noexcept {
    for (std::size_t i = 1; i < waiting_.size(); ++i) {
        if (waiting_[i].header.id != id) continue;
        backlog_ -= sizeof(frame_header) + waiting_[i].payload.size();
        waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
        return true;
    }
    return false;
}

bool frame_sender::flush(transport& to) {
    while (!waiting_.empty()) {
        entry& next = waiting_.front();
        const std::size_t total = sizeof(frame_header) + next.payload.size();
        if (next.written == 0 && !send_descriptors(to, next)) return true;
        while (next.written != total) {
            transport::progress done;
            if (next.written < sizeof(frame_header)) {
                std::array<std::byte, one_piece> piece;
                const std::size_t payload =
                    std::min(next.payload.size(), one_piece - sizeof(frame_header));
                std::memcpy(piece.data(), &next.header, sizeof(frame_header));
                if (payload != 0)
                    std::memcpy(piece.data() + sizeof(frame_header), next.payload.data(), payload);
                done = to.write(
                    std::span{piece}.first(sizeof(frame_header) + payload).subspan(next.written));
            } else {
                done = to.write(std::span<const std::byte>{next.payload}.subspan(
                    next.written - sizeof(frame_header)));
            }
            if (done.end) return false;
            if (done.bytes == 0) return true;
            next.written += done.bytes;
        }
        backlog_ -= total;
        waiting_.pop_front();
    }
    return true;
}

} // namespace coproc::detail
