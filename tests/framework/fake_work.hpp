// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// A work for tests of what decides about works: it computes nothing, and remembers what it is told.

#include <coproc/detail/backend.hpp>
#include <coproc/detail/work.hpp>

#include <cstdint>
#include <exception>
#include <limits>
#include <stdexcept>
#include <string>

namespace coproc_test {

namespace detail = coproc::detail;

class fake_work final : public detail::result_core, public detail::work {
public:
    struct traits {
        std::uint64_t items = 1;
        bool is_map = false;
        bool more_to_come = false;
        std::thread::id consumer = {};
    };

    explicit fake_work(const coproc::task_options& options = {}) : fake_work{traits{}, options} {}
    fake_work(const traits& what, const coproc::task_options& options)
        : work{*this, nullptr, detail::work_settings{options, {}}, what.items, what.more_to_come},
          traits_{what} {}
    ~fake_work() { ++destroyed; }

    detail::chunk_outcome run(const detail::chunk&, detail::item_observer&) noexcept override {
        return {};
    }
    detail::invoker remote() const noexcept override { return nullptr; }
    void size(const detail::chunk&, detail::sizer&) const override {}
    void encode(const detail::chunk&, detail::writer&) const override {}
    detail::chunk_outcome accept(const detail::chunk&, detail::reader&,
                                 const detail::origin&) noexcept override {
        return {};
    }
    void fail(std::uint64_t index, std::exception_ptr why) noexcept override {
        ++failures;
        if (index >= failed_at) return;
        failed_at = index;
        failure = std::move(why);
    }
    void finish() noexcept override { ++finished; }
    bool many() const noexcept override { return traits_.is_map; }
    std::thread::id consumer() const noexcept override { return traits_.consumer; }

    static constexpr std::uint64_t nowhere = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t failed_at = nowhere;
    std::exception_ptr failure;
    int failures = 0;
    int finished = 0;
    inline static int destroyed = 0;

private:
    traits traits_;
};

using fake_ptr = boost::intrusive_ptr<fake_work>;

inline fake_ptr fake_call(const coproc::task_options& options = {}) {
    return fake_ptr{new fake_work{options}};
}
inline fake_ptr fake_map(std::uint64_t items, const coproc::task_options& options = {}) {
    return fake_ptr{new fake_work{{.items = items, .is_map = true}, options}};
}
inline fake_ptr fake_stream(std::uint64_t items, const coproc::task_options& options = {},
                            std::thread::id consumer = {}) {
    return fake_ptr{new fake_work{
        {.items = items, .is_map = true, .more_to_come = true, .consumer = consumer}, options}};
}

inline std::exception_ptr error_of(const std::string& text) {
    return std::make_exception_ptr(std::runtime_error{text});
}
/// The same for every work.
inline auto error_for_all(const std::string& text) {
    return [error = error_of(text)](const detail::work&) { return error; };
}

inline std::string text_of(const std::exception_ptr& error) {
    if (!error) return "none";
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& e) {
        return e.what();
    }
}

} // namespace coproc_test
