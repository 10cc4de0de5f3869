// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What the tests of pools have in common: each case runs on both backends, waits for events instead
// of sleeping, and fails with a sentence instead of hanging.

#include "catch.hpp"

#include <coproc/coproc.hpp>

#include <boost/asio.hpp>

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <unistd.h>
#include <utility>
#include <vector>

namespace coproc_test {

namespace asio = boost::asio;
using namespace std::chrono_literals;

/// Only a hang takes this long.
inline constexpr auto patience = 40s;

/// `const auto backend = each_backend(); CAPTURE(backend);` runs the rest of the case once for
/// each.
inline std::string each_backend() { return GENERATE(as<std::string>{}, "process", "dummy"); }

inline coproc::pool_options on(const std::string& backend, unsigned workers = 2) {
    coproc::pool_options options;
    options.workers = workers;
    options.backend = backend;
    return options;
}

/// Polls until the condition holds; false after `patience`.
template <class Condition>
bool eventually(Condition&& condition) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::sleep_for(1ms);
    }
    return true;
}

/// A directory of files by which a test and its tasks, wherever they run, tell each other what has
/// happened.
class signs {
public:
    signs() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "coproc-test-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error{"mkdtemp failed"};
        directory_ = pattern;
    }
    signs(const signs&) = delete;
    signs& operator=(const signs&) = delete;
    ~signs() {
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }

    [[nodiscard]] std::string path(const std::string& name) const {
        return (directory_ / name).string();
    }
    /// How many files there are whose name begins like this.
    [[nodiscard]] int count(const std::string& prefix) const {
        int n = 0;
        for (const auto& entry : std::filesystem::directory_iterator{directory_})
            n += entry.path().filename().string().starts_with(prefix) ? 1 : 0;
        return n;
    }

private:
    std::filesystem::path directory_;
};

inline void raise_sign(const std::string& path) { std::ofstream{path} << '.'; }
inline bool sees_sign(const std::string& path) { return std::filesystem::exists(path); }

/// For tasks: waits for the sign, or until the task is asked to stop. False when it was.
inline bool await_sign(const std::string& path) {
    const auto stop = coproc::this_task::stop_token();
    if (!eventually([&] { return stop.stop_requested() || sees_sign(path); }))
        throw std::runtime_error{"the sign " + path + " did not come"};
    return !stop.stop_requested();
}

/// For tasks: says that it runs, then waits for leave to end.
inline int hold(const std::string& entered, const std::string& leave) {
    raise_sign(entered);
    await_sign(leave);
    return 1;
}

/// Collects what is logged while it lives.
class captured_log {
public:
    captured_log() {
        coproc::set_log_handler([this](const coproc::log_record& record) {
            const std::scoped_lock lock{mutex_};
            records_.emplace_back(record.kind, std::string{record.message});
        });
    }
    captured_log(const captured_log&) = delete;
    captured_log& operator=(const captured_log&) = delete;
    ~captured_log() { coproc::set_log_handler({}); }

    [[nodiscard]] int count(coproc::log_kind kind, const std::string& part = {}) const {
        const std::scoped_lock lock{mutex_};
        int n = 0;
        for (const auto& [k, text] : records_)
            n += k == kind && text.find(part) != std::string::npos ? 1 : 0;
        return n;
    }

private:
    mutable std::mutex mutex_;
    std::vector<std::pair<coproc::log_kind, std::string>> records_;
};

/// A flag that one thread sets and another waits for.
class gate {
public:
    void set() noexcept { set_.store(true); }
    [[nodiscard]] bool wait() const {
        return eventually([this] { return set_.load(); });
    }
    [[nodiscard]] bool is_set() const noexcept { return set_.load(); }

private:
    std::atomic<bool> set_{false};
};

/// Runs a coroutine, or what a function makes one of, to its end on this thread, and returns or
/// throws what it does.
template <class T, class Body>
T run_to_end(asio::io_context& context, Body&& body) {
    std::exception_ptr error;
    bool ended = false;
    std::conditional_t<std::is_void_v<T>, char, std::optional<T>> result{};
    if constexpr (std::is_void_v<T>) {
        asio::co_spawn(context, std::forward<Body>(body), [&](std::exception_ptr e) {
            error = std::move(e);
            ended = true;
        });
    } else {
        asio::co_spawn(context, std::forward<Body>(body), [&](std::exception_ptr e, T value) {
            error = std::move(e);
            if (!error) result.emplace(std::move(value));
            ended = true;
        });
    }
    context.restart();
    const auto until = std::chrono::steady_clock::now() + patience;
    // Until there is no work left, also when it has ended: other threads may still let go of the
    // context.
    while (context.run_one_until(until) != 0) {}
    if (!ended) throw std::runtime_error{"the coroutine did not end"};
    if (error) std::rethrow_exception(error);
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

template <class T>
T run(asio::io_context& context, asio::awaitable<T> body) {
    return run_to_end<T>(context, std::move(body));
}
template <class T>
T run(asio::awaitable<T> body) {
    asio::io_context context;
    return run(context, std::move(body));
}
template <std::invocable F>
auto run(F&& make_body) {
    asio::io_context context;
    return run_to_end<typename std::invoke_result_t<F>::value_type>(context,
                                                                    std::forward<F>(make_body));
}

/// What a failing call throws, as E; a failed assertion if that is not what it throws.
template <class E, class Call>
std::optional<E> thrown(Call&& call) {
    try {
        std::forward<Call>(call)();
    } catch (const E& e) {
        return e;
    } catch (const std::exception& e) {
        FAIL_CHECK(
            "another exception was thrown: " << coproc::format_exception(std::current_exception()));
        return {};
    }
    FAIL_CHECK("nothing was thrown");
    return {};
}

} // namespace coproc_test
