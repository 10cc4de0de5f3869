// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Boost.Asio 1.81 cannot co_await an operation whose signature is void(std::exception_ptr, T): its
// handler tests the result structure instead of the pointer in it. Mended in 1.82; until then a
// more specialised handler stands in.

#include <boost/asio/awaitable.hpp>
#include <boost/version.hpp>

#if BOOST_VERSION < 108200

#include <exception>
#include <utility>

namespace boost::asio::detail {

template <typename T, typename Executor>
class awaitable_async_op_handler<void(std::exception_ptr, T), Executor>
    : public awaitable_thread<Executor> {
public:
    struct result_type {
        std::exception_ptr* exception;
        T* value;
    };

    awaitable_async_op_handler(awaitable_thread<Executor>* from, result_type& result)
        : awaitable_thread<Executor>(std::move(*from)), result_(result) {}

    void operator()(std::exception_ptr exception, T value) {
        result_.exception = &exception;
        result_.value = &value;
        this->entry_point()->top_of_stack_->attach_thread(this);
        this->entry_point()->top_of_stack_->clear_cancellation_slot();
        this->pump();
    }

    static T resume(result_type& result) {
        if (*result.exception) std::rethrow_exception(std::exchange(*result.exception, nullptr));
        return std::move(*result.value);
    }

private:
    result_type& result_;
};

} // namespace boost::asio::detail

#endif
