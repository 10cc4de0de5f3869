// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The vocabulary of coproc on threads: `namespace mp = coproc;` -> `namespace mp = coproc::dummy;`.

#include <coproc/bind_front.hpp>
#include <coproc/cpu_count.hpp>
#include <coproc/dummy/job.hpp>
#include <coproc/dummy/pool.hpp>
#include <coproc/runtime.hpp>
#include <coproc/this_task.hpp>
#include <coproc/when_all.hpp>

namespace coproc::dummy {

// What does not depend on where work runs is the same thing under both names.
using coproc::as_completed;
using coproc::async_result;
using coproc::bind_front;
using coproc::cpu_count;
using coproc::pool_options;
using coproc::pool_stats;
using coproc::runtime;
using coproc::stream;
using coproc::task_options;
using coproc::when_all;
using coproc::when_any;

namespace this_task = coproc::this_task;

} // namespace coproc::dummy
