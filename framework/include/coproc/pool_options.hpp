// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/duration.hpp>
#include <coproc/job.hpp>
#include <coproc/start_method.hpp>
#include <coproc/task_options.hpp>
#include <coproc/worker_affinity.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <cstddef>
#include <optional>
#include <string>

namespace coproc {

namespace asio = boost::asio;

/// How a pool is made. Every field has a default; the order of the fields stays, so designated
/// initialisers work.
struct pool_options {
    /// How many workers; 0: `cpu_count()`, which honours CPU affinity and the cgroup's quota.
    unsigned workers = 0;
    /// "process", "dummy" (threads) or an adapter's name; "": the environment's COPROC_BACKEND,
    /// else "process".
    std::string backend = {};
    /// How worker processes come to be; empty: what `set_start_method` chose, else spawn. Ignored
    /// by threads.
    std::optional<start_method> start = {};
    /// Runs first in every worker: `coproc::job{f, args...}`. If it throws, the worker is restarted
    /// a bounded number of times, then the pool is broken and every task fails with a
    /// bootstrap_error that says what the first one threw, and has it nested
    /// (std::rethrow_if_nested); or how it crashed.
    job initializer = {};
    /// A worker is replaced after so many tasks (items of a map count one each); 0: never.
    std::size_t max_tasks_per_worker = 0;
    /// Bytes of resident memory: a worker above is replaced between tasks, one above twice that is
    /// killed; 0: no limit.
    std::size_t max_worker_memory = 0;
    /// For every task of this pool that says nothing else.
    task_options defaults = {};
    /// Shows in worker names, ps, logs and traces.
    std::string name = {};
    /// Where then() callbacks, progress callbacks and foreign coroutines run; empty: a thread of
    /// the library's own. Its context must outlive the pool and the handles of its results.
    asio::any_io_executor callback_executor = {};
    /// What a worker process and the programs it starts write to stdout and stderr comes out of
    /// this program's, in whole lines that begin with the worker's name: `[squares-1] text`. A line
    /// of more than 64 KiB comes in parts. All that a worker wrote is there when the pool has been
    /// joined. Ignored by threads: they write to the program's own streams.
    bool tag_output = false;
    /// Binds each worker to a CPU or to the CPUs of a NUMA node: for a program that has the
    /// machine, or a part of it, to itself. Nothing keeps two pools, or two programs, off the same
    /// CPUs but the affinity of the threads that make them: it says which may be used. A replaced
    /// worker has the CPUs of the one before it. What a task starts (threads, processes, pools) is
    /// bound like its worker: cpu_count() there is 1, or that of the node. A worker that the system
    /// does not let have its CPUs, because they went offline, runs unbound.
    worker_affinity affinity = worker_affinity::none;
    /// How many workers are kept started beyond those that have tasks, so that a lost, stopped or
    /// recycled one is replaced without the time that the start of a program takes. Empty: none
    /// until a worker has had to be replaced for the first time, from then on one. A spare runs the
    /// initializer when it takes a place; environment, working directory, credentials and limits
    /// are those of the time when it was started. Ignored by threads, by start_method::fork, whose
    /// workers are copies of the program at the time they are needed, and where workers are bound
    /// to CPUs.
    std::optional<unsigned> spare_workers = {};
};

} // namespace coproc
