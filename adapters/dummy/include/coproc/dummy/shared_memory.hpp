// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace coproc::detail::threads {
struct memory_block;
struct memory_name;
} // namespace coproc::detail::threads

namespace coproc::dummy {

/// coproc::shared_memory among the threads of one program: blocks of bytes to be found by a name,
/// which is known in this program only. A handle, whose copies are one block.
///
/// The handle that create() returned is the owner, with its copies: the name goes with the last of
/// them, or with unlink(). The bytes stay as long as anyone has a handle. Access to the bytes is
/// not synchronised. Thread safety: of the handle, full.
class shared_memory {
public:
    /// No block: no bytes, no name.
    shared_memory() noexcept = default;

    /// A new block of zeros, aligned to 64 bytes. A name has 1 to 80 bytes, none of them zero.
    /// *Exceptions*: std::invalid_argument for another name or without a size; std::system_error
    /// EEXIST if there is one of that name; std::length_error if there is not as much memory.
    [[nodiscard]] static shared_memory create(std::string_view name, std::size_t size);
    /// The block of that name. *Exceptions*: std::invalid_argument for what is not a name;
    /// std::system_error ENOENT if there is none.
    [[nodiscard]] static shared_memory open(std::string_view name);

    /// All of it. Valid as long as there is a handle.
    [[nodiscard]] std::span<std::byte> bytes() const noexcept;
    [[nodiscard]] std::size_t size() const noexcept { return bytes().size(); }
    /// The name that it was created with.
    [[nodiscard]] const std::string& name() const noexcept;
    /// Takes the name away: nobody can open it any more, and another can be created under the name.
    /// Does nothing the second time.
    void unlink() const noexcept;

private:
    std::shared_ptr<detail::threads::memory_block> block_;
    std::shared_ptr<const detail::threads::memory_name> owned_; // of the creator's handles
};

} // namespace coproc::dummy
