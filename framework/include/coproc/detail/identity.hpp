// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Who this process is among those that the library has started: what its parent has told it. And
// who a thread is that stands for one.

#include <string>
#include <sys/types.h>

namespace coproc::detail {

struct process_identity {
    std::string name = "main";
    std::string numbers = {}; ///< "1:2": the second that the first has made; "" for the program
    bool daemon = false;
    std::string parent_name = {}; ///< "": there is no parent that the library knows of
};

/// Thread safe.
[[nodiscard]] process_identity own_identity();
/// Before any user code runs here.
void set_identity(process_identity identity);

/// The name of the pool's worker whose thread calls this; null on every other thread.
[[nodiscard]] const std::string* name_of_worker_thread() noexcept;
/// By such a thread; the name must stay until it is set to null.
void set_name_of_worker_thread(const std::string* name) noexcept;

} // namespace coproc::detail
