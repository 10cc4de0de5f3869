// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Everything. One header per facility exists for those who want less.

#include <coproc/async_result.hpp>
#include <coproc/barrier.hpp>
#include <coproc/bind_front.hpp>
#include <coproc/bounded_semaphore.hpp>
#include <coproc/codec.hpp>
#include <coproc/condition.hpp>
#include <coproc/cpu_count.hpp>
#include <coproc/current_process.hpp>
#include <coproc/dummy.hpp>
#include <coproc/duration.hpp>
#include <coproc/error.hpp>
#include <coproc/event.hpp>
#include <coproc/job.hpp>
#include <coproc/joinable_queue.hpp>
#include <coproc/latch.hpp>
#include <coproc/log.hpp>
#include <coproc/manager.hpp>
#include <coproc/mutex.hpp>
#include <coproc/pipe.hpp>
#include <coproc/pool.hpp>
#include <coproc/pool_options.hpp>
#include <coproc/pool_stats.hpp>
#include <coproc/process.hpp>
#include <coproc/process_base.hpp>
#include <coproc/queue.hpp>
#include <coproc/ranges.hpp>
#include <coproc/recursive_mutex.hpp>
#include <coproc/register_exception.hpp>
#include <coproc/runtime.hpp>
#include <coproc/semaphore.hpp>
#include <coproc/shared_array.hpp>
#include <coproc/shared_memory.hpp>
#include <coproc/shared_value.hpp>
#include <coproc/start_method.hpp>
#include <coproc/stream.hpp>
#include <coproc/task_options.hpp>
#include <coproc/this_task.hpp>
#include <coproc/when_all.hpp>
#include <coproc/worker_affinity.hpp>
