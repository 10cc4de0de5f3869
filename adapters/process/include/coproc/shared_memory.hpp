// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/codec.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace coproc {

namespace detail {
class memory_object;
class memory_name;
} // namespace detail

/// Blocks of bytes that processes share, to be found by a name: also by processes that nobody could
/// give a handle to. A handle, whose copies are one block, also those that travelled to another
/// process in a job's arguments, a queue or a pipe.
///
///     auto block = coproc::shared_memory::create("frames", 1 << 20);   // one program
///     auto block = coproc::shared_memory::open("frames");              // another one
///
/// The handle that create() returned is the owner, with its copies in that process: the name goes
/// with the last of them, with the process whatever ends it, or with unlink(). The bytes stay as
/// long as anyone has a handle, and nothing is left behind then: neither lies in a file system.
///
/// Names are known to the processes of one user on one machine (in one network namespace), and are
/// answered by a thread of the owner's process. Access to the bytes is not synchronised. Thread
/// safety: of the handle, full.
class shared_memory {
public:
    /// No block: no bytes, no name.
    shared_memory() noexcept = default;

    /// A new block of zeros, aligned to 4096 bytes. *Exceptions*: std::invalid_argument for a size
    /// of 0, an empty name, or one that is longer than 80 bytes or contains a zero byte;
    /// std::system_error EEXIST if there is one of that name; std::length_error if there is not as
    /// much memory.
    [[nodiscard]] static shared_memory create(std::string_view name, std::size_t size);
    /// The block of that name. *Exceptions*: std::system_error ENOENT if there is none, EACCES if
    /// another user's process has the name; timeout_error if the owner does not answer within five
    /// seconds (it was stopped); std::invalid_argument as above.
    [[nodiscard]] static shared_memory open(std::string_view name);

    /// All of it. Valid as long as there is a handle.
    [[nodiscard]] std::span<std::byte> bytes() const noexcept;
    [[nodiscard]] std::size_t size() const noexcept { return bytes().size(); }
    /// The name that it was created with.
    [[nodiscard]] std::string name() const;
    /// Takes the name away: nobody can open it any more, and another can be created under the name.
    /// Any process that has a handle may do so. Does nothing the second time. *Exceptions*:
    /// timeout_error if the owner does not answer within five seconds.
    void unlink() const;

private:
    friend struct codec<shared_memory>;

    std::shared_ptr<detail::memory_object> block_;
    std::shared_ptr<detail::memory_name> owned_; // of the creator's handles
};

/// Travels as a handle of the same block.
template <>
struct codec<shared_memory> {
    using parts = detail::types<>;

    static void size(detail::sizer& s, const shared_memory& memory);
    static void encode(detail::writer& w, const shared_memory& memory);
    static shared_memory decode(detail::reader& r);
};

} // namespace coproc
