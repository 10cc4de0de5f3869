// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Making the exception objects that a failed task's result throws.

#include <coproc/error.hpp>

#include <exception>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace coproc::detail {

/// An exception with the one that caused it, as std::throw_with_nested would make it.
template <class X>
class with_cause final : public X, public std::nested_exception {
public:
    explicit with_cause(const X& other)
        : X(other) {} // to be called while the cause is being handled
};

/// For types whose text cannot be given to a constructor.
template <class E>
class worded : public failed<E> {
public:
    worded(const E& other, failure_info where, const std::string& what)
        : failed<E>{other, std::move(where)}, what_{std::make_shared<const std::string>(what)} {}
    const char* what() const noexcept override { return what_->c_str(); }

private:
    std::shared_ptr<const std::string> what_;
};

template <class X>
std::exception_ptr make_exception(const X& exception, const std::exception_ptr& cause) {
    if constexpr (std::is_class_v<X> && !std::is_final_v<X> &&
                  !std::is_base_of_v<std::nested_exception, X>) {
        if (cause != nullptr) {
            try {
                std::rethrow_exception(cause);
            } catch (...) {
                return std::make_exception_ptr(with_cause<X>{exception});
            }
        }
    }
    return std::make_exception_ptr(exception);
}

/// Types that can be derived from become task failures; the others (int, a final class) are thrown
/// as they are.
template <class E>
std::exception_ptr make_failure(const E& exception, failure_info where,
                                const std::exception_ptr& cause) {
    if constexpr (std::is_class_v<E> && !std::is_final_v<E> && !std::is_base_of_v<task_failure, E>)
        return make_exception(failed<E>{exception, std::move(where)}, cause);
    else
        return make_exception(exception, cause);
}

/// What was nested in it; null for most.
template <class E>
std::exception_ptr cause_of(const E& exception) {
    if constexpr (std::is_polymorphic_v<E>) {
        if (const auto* nested = dynamic_cast<const std::nested_exception*>(&exception))
            return nested->nested_ptr();
    }
    return nullptr;
}

} // namespace coproc::detail
