// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Names of memory. A name is an abstract Unix socket, which the kernel forgets with the process
// that listens to it, whatever ends that: whoever connects to it is sent a descriptor of the
// memory.

#include <coproc/detail/memory_name_rule.hpp>
#include <os/unique_fd.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace coproc::detail {

/// Answers for a name as long as it exists.
class memory_name {
public:
    /// `withdrawn` is asked whenever somebody connects: whether the name is to go. Throws
    /// std::system_error, EEXIST if the name is taken.
    static std::shared_ptr<memory_name> take(std::string_view name, int memory,
                                             std::function<bool()> withdrawn);
    memory_name(const memory_name&) = delete;
    memory_name& operator=(const memory_name&) = delete;
    ~memory_name();

    /// From here on the name is free.
    void give_up() noexcept;

private:
    struct listener;
    memory_name() = default;

    std::shared_ptr<listener> listener_;
};

/// Asks for the memory of that name; empty if it has just been withdrawn. Throws std::system_error
/// (ENOENT, EACCES), timeout_error.
os::unique_fd ask_for_memory(std::string_view name);

} // namespace coproc::detail
