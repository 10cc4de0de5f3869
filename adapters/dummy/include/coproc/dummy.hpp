// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The vocabulary of coproc on threads: `namespace mp = coproc;` -> `namespace mp = coproc::dummy;`.

#include <coproc/bind_front.hpp>
#include <coproc/codec.hpp>
#include <coproc/cpu_count.hpp>
#include <coproc/dummy/barrier.hpp>
#include <coproc/dummy/bounded_semaphore.hpp>
#include <coproc/dummy/condition.hpp>
#include <coproc/dummy/current_process.hpp>
#include <coproc/dummy/event.hpp>
#include <coproc/dummy/job.hpp>
#include <coproc/dummy/joinable_queue.hpp>
#include <coproc/dummy/latch.hpp>
#include <coproc/dummy/manager.hpp>
#include <coproc/dummy/mutex.hpp>
#include <coproc/dummy/pipe.hpp>
#include <coproc/dummy/pool.hpp>
#include <coproc/dummy/process.hpp>
#include <coproc/dummy/process_base.hpp>
#include <coproc/dummy/queue.hpp>
#include <coproc/dummy/recursive_mutex.hpp>
#include <coproc/dummy/semaphore.hpp>
#include <coproc/dummy/shared_array.hpp>
#include <coproc/dummy/shared_memory.hpp>
#include <coproc/dummy/shared_value.hpp>
#include <coproc/duration.hpp>
#include <coproc/error.hpp>
#include <coproc/log.hpp>
#include <coproc/register_exception.hpp>
#include <coproc/runtime.hpp>
#include <coproc/start_method.hpp>
#include <coproc/this_task.hpp>
#include <coproc/when_all.hpp>
#include <coproc/worker_affinity.hpp>

namespace coproc::views {} // namespace coproc::views

namespace coproc::dummy {

// What does not depend on where work runs is the same thing under both names.
using coproc::as_completed;
using coproc::async_result;
using coproc::bind_front;
using coproc::codec;
using coproc::cpu_count;
using coproc::duration;
using coproc::get_start_method;
using coproc::job_callable;
using coproc::log_handler;
using coproc::log_kind;
using coproc::log_record;
using coproc::manager_connect_options;
using coproc::manager_options;
using coproc::manager_tls;
using coproc::parent_info;
using coproc::pool_options;
using coproc::pool_stats;
using coproc::process_handle;
using coproc::process_info;
using coproc::process_options;
using coproc::register_exception;
using coproc::runtime;
using coproc::sendable;
using coproc::set_log_handler;
using coproc::set_start_method;
using coproc::start_method;
using coproc::stream;
using coproc::task_options;
using coproc::to_string;
using coproc::travel_t;
using coproc::trust_captures;
using coproc::when_all;
using coproc::when_any;
using coproc::worker_affinity;

using coproc::authentication_error;
using coproc::bootstrap_error;
using coproc::broken_barrier_error;
using coproc::cancelled_error;
using coproc::end_of_stream_error;
using coproc::error;
using coproc::format_exception;
using coproc::owner_died_error;
using coproc::pool_closed_error;
using coproc::queue_closed_error;
using coproc::queue_empty_error;
using coproc::queue_full_error;
using coproc::remote_error;
using coproc::serialization_error;
using coproc::task_failure;
using coproc::timeout_error;
using coproc::timeout_kind;
using coproc::worker_lost_error;

namespace asio = coproc::asio;
namespace this_task = coproc::this_task;
namespace views = coproc::views;

} // namespace coproc::dummy
