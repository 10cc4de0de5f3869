// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The frames between a manager's server and its clients: a header of fixed size, then the payload.
// The parser knows no sockets: it is fed with bytes and yields frames. Nothing is believed before
// it is checked, and no memory is taken for a payload before its bytes are there.

#include <coproc/detail/manager_protocol.hpp>
#include <coproc/error.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace coproc::detail {

struct frame_header {
    std::uint64_t size = 0; // of the payload
    std::uint16_t op = 0;
    std::uint16_t status = 0;
    std::uint32_t descriptors = 0;
    std::uint64_t id = 0;      // of the request; a reply has the same
    std::uint64_t object = 0;  // 0: none
    std::uint64_t timeout = 0; // ns; how long the server may park the request
};
static_assert(sizeof(frame_header) == 40);

struct frame {
    frame_header header{};
    std::vector<std::byte> payload{};

    [[nodiscard]] manager_op op() const noexcept { return static_cast<manager_op>(header.op); }
};

/// The peer does not speak the protocol, or breaks a limit of it. The connection is of no use then.
class protocol_error : public error {
public:
    using error::error;
};

class frame_parser {
public:
    /// Frames of a peer that has not proved anything may be so long, and have no descriptors.
    static constexpr std::size_t stranger_limit = 512;

    explicit frame_parser(std::size_t limit = stranger_limit);

    /// From now on: payload bytes, descriptors.
    void allow(std::size_t limit, std::uint32_t descriptors) noexcept;

    /// Where the next bytes go; never empty.
    [[nodiscard]] std::span<std::byte> room();
    void filled(std::size_t n) noexcept { end_ += n; }
    void feed(std::span<const std::byte> bytes);

    /// The next whole frame; false: more bytes are needed. Throws protocol_error.
    bool next(frame& out);

    /// A frame has begun and not ended.
    [[nodiscard]] bool midway() const noexcept { return in_payload_ || begin_ != end_; }

private:
    std::vector<std::byte> buffer_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::size_t limit_;
    std::uint32_t descriptors_ = 0;
    bool in_payload_ = false;
    frame open_;
};

} // namespace coproc::detail
