// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <src/reactor.hpp>

#include <coproc/detail/forks.hpp>
#include <coproc/detail/library_threads.hpp>
#include <coproc/detail/log_later.hpp>
#include <coproc/detail/result_core.hpp>
#include <coproc/log.hpp>
#include <os/signals.hpp>
#include <src/fork_guard.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <exception>
#include <mutex>
#include <new>
#include <pthread.h>
#include <string>
#include <thread>
#include <utility>

namespace coproc::detail {
namespace {

thread_local const void* running_here = nullptr;

/// An io_context with a thread of its own.
class service {
public:
    explicit service(const char* name, void (*prepare)())
        : work_{boost::asio::make_work_guard(context)} {
        const os::signal_blocker blocked; // signals are for the program's own threads
        std::thread thread{[this, name, prepare] {
            if (prepare != nullptr) prepare();
            run(name);
        }};
        thread.detach();
    }

    boost::asio::io_context context{1};

private:
    void run(const char* name) noexcept {
        ::pthread_setname_np(::pthread_self(), name);
        running_here = this;
        for (;;) {
            try {
                context.run();
                return;
            } catch (const std::exception& e) {
                log(log_kind::other,
                    std::string{"coproc: an exception in a library thread: "} + e.what());
            } catch (...) {
                log(log_kind::other, "coproc: an exception in a library thread");
            }
        }
    }

    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
};

/// Made at first use, forgotten (not destroyed: its thread does not exist there) in the child of a
/// fork.
class lazy_service {
public:
    service& get(const char* name, void (*prepare)() = nullptr) {
        if (service* const present = instance_.load(std::memory_order_acquire)) return *present;
        const std::scoped_lock lock{mutex_};
        if (instance_.load(std::memory_order_relaxed) == nullptr)
            instance_.store(new service{name, prepare}, std::memory_order_release);
        return *instance_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] const service* present() const noexcept {
        return instance_.load(std::memory_order_acquire);
    }
    void forget() noexcept { ::new (this) lazy_service; }

private:
    std::atomic<service*> instance_{nullptr};
    std::mutex mutex_;
};

struct services {
    lazy_service reactor;
    lazy_service callbacks;
    lazy_service launches;
    lazy_service output;
    lazy_service logs;
    std::atomic<std::size_t> unlogged{0};
};

services& all() {
    static services* const instance = [] {
        on_fork_in_child([]() noexcept {
            running_here = nullptr;
            tells_of_results(false);
            all().reactor.forget();
            all().callbacks.forget();
            all().launches.forget();
            all().output.forget();
            all().logs.forget();
            all().unlogged.store(0);
        });
        return new services;
    }();
    return *instance;
}

const made_before_main made_early{all};

} // namespace

boost::asio::io_context& reactor() {
    return all().reactor.get("coproc-reactor", [] { tells_of_results(true); }).context;
}

void launch_later(std::function<void()> start) {
    boost::asio::post(reactor(), [start = std::move(start)] {
        service* thread = nullptr;
        try {
            thread = &all().launches.get("coproc-launch", [] { tells_of_results(true); });
            boost::asio::post(thread->context, start);
        } catch (const std::exception&) { // no thread, no memory to be had
            thread = nullptr;
        }
        if (thread == nullptr) start(); // not within the handler: the child of a fork stays in it
    });
}

boost::asio::io_context& output_context() { return all().output.get("coproc-output").context; }

void log_later(std::function<void()> what) {
    // A log handler must not wait here either: the pools' ends wait for it.
    auto& context = all().logs.get("coproc-log", [] { tells_of_results(true); }).context;
    all().unlogged.fetch_add(1);
    try {
        boost::asio::post(context, [what = std::move(what)] {
            try {
                what();
            } catch (const std::exception&) { // no memory for the text
            }
            all().unlogged.fetch_sub(1);
        });
    } catch (...) {
        all().unlogged.fetch_sub(1);
        throw;
    }
}

void after_logging(std::function<void()> then) noexcept {
    try {
        if (all().unlogged.load() != 0) {
            boost::asio::post(all().logs.get("coproc-log").context, then);
            return;
        }
    } catch (const std::exception&) { // no memory: it need not wait
    }
    then();
}

[[gnu::hot]] bool on_reactor_thread() noexcept {
    return running_here != nullptr && running_here == all().reactor.present();
}

boost::asio::any_io_executor default_callback_executor() {
    return all().callbacks.get("coproc-calls").context.get_executor();
}

void start_library_threads() {
    static_cast<void>(reactor());
    static_cast<void>(default_callback_executor());
}

} // namespace coproc::detail
