// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <functional>
#include <string>
#include <sys/types.h>
#include <utility>

namespace coproc {

/// What a process is called: see current_process(). A value; it says what was true when it was
/// made.
class process_info {
public:
    /// For the library.
    process_info(std::string name, pid_t pid, bool daemon) noexcept
        : name_{std::move(name)}, pid_{pid}, daemon_{daemon} {}

    /// "main" for the program itself.
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    /// Of threads (dummy): the program's.
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    /// Whether it ends with the process that started it.
    [[nodiscard]] bool daemon() const noexcept { return daemon_; }

private:
    std::string name_;
    pid_t pid_;
    bool daemon_;
};

/// The process that started this one: see parent_process().
class parent_info {
public:
    /// For the library.
    parent_info(std::string name, pid_t pid, std::function<bool()> alive) noexcept
        : name_{std::move(name)}, pid_{pid}, alive_{std::move(alive)} {}

    /// Its name, "main" for the program itself.
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    /// Of threads (dummy): the program's.
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    /// Asked anew at each call. A process does not outlive its parent, so it sees false at most for
    /// the moment in which it is stopped itself.
    [[nodiscard]] bool is_alive() const { return alive_(); }

private:
    std::string name_;
    pid_t pid_;
    std::function<bool()> alive_;
};

} // namespace coproc
