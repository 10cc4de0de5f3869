// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Exceptions of a program's own that shall arrive as what they are.

#include <coproc/codec.hpp>
#include <coproc/detail/failed.hpp>
#include <coproc/error.hpp>

#include <concepts>
#include <cstddef>
#include <exception>
#include <optional>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <vector>

namespace coproc::detail {

/// How one exception type travels. Its accessor, `operations_of<E>`, is a function, so its name is
/// known everywhere.
struct exception_operations {
    const std::type_info* type;
    /// The state; empty when the exception is not of this type after all.
    std::optional<std::vector<std::byte>> (*encode)(const std::exception_ptr&);
    std::exception_ptr (*decode)(reader&, const std::string& what, const failure_info&,
                                 const std::exception_ptr& cause);
    std::exception_ptr (*wrap)(const std::exception_ptr&, const failure_info&);
};

using exception_accessor = const exception_operations& (*)();

/// The types that were registered, in order. A parent teaches them to its workers, before or
/// between tasks.
class exception_registry {
public:
    static void add(exception_accessor accessor);
    /// How many there are: what a worker must know.
    [[nodiscard]] static std::size_t size() noexcept;

    /// Those after the first `since`, as they travel. encode sends as many as size found.
    static void size(sizer& s, std::size_t since);
    static void encode(writer& w, std::size_t since);
    static void learn(reader& r);
};

template <class E>
struct registered_exception {
    static constexpr bool has_state = sendable<E>;
    static constexpr bool from_text =
        std::constructible_from<E, const std::string&> || std::constructible_from<E, const char*>;
    /// Nothing but a table of virtual functions: the type is all there is to say.
    static constexpr bool has_nothing = std::derived_from<E, std::exception> &&
                                        sizeof(E) == sizeof(std::exception) &&
                                        std::default_initializable<E>;
    /// Names its state but can only be made from a text.
    static constexpr bool has_both = [] {
        if constexpr (!has_state && from_text && kind_of<E> == kind::members)
            return judge_all<typename codec_for<E>::parts, seen<E>>::why == refusal::none;
        else
            return false;
    }();

    static constexpr bool can_travel = has_state || from_text || has_nothing;

    static std::optional<std::vector<std::byte>> encode(const std::exception_ptr& exception) {
        try {
            std::rethrow_exception(exception);
        } catch (const E& e) {
            if constexpr (has_state || has_both)
                return to_bytes(e);
            else
                return std::vector<std::byte>{};
        } catch (...) {
            return std::nullopt;
        }
    }
    static std::exception_ptr decode(reader& r, const std::string& what, const failure_info& where,
                                     const std::exception_ptr& cause) {
        return make_failure(make(r, what), where, cause);
    }
    static std::exception_ptr wrap(const std::exception_ptr& exception, const failure_info& where) {
        try {
            std::rethrow_exception(exception);
        } catch (const E& e) {
            return make_failure(e, where, cause_of(e));
        } catch (...) {
            return exception;
        }
    }

private:
    static E make(reader& r, const std::string& what) {
        if constexpr (has_state) {
            return detail::decode<E>(r);
        } else {
            E e = from_what(what);
            if constexpr (has_both) codec_for<E>::decode_members(r, e);
            return e;
        }
    }
    static E from_what([[maybe_unused]] const std::string& what) {
        if constexpr (std::constructible_from<E, const std::string&>)
            return E(what);
        else if constexpr (from_text)
            return E(what.c_str());
        else
            return E();
    }
};

template <class E>
const exception_operations& operations_of() {
    using how = registered_exception<E>;
    static constexpr exception_operations operations{&typeid(E), &how::encode, &how::decode,
                                                     &how::wrap};
    return operations;
}

} // namespace coproc::detail

namespace coproc {

/// From now on an E that a task throws arrives as an E (and as a task_failure) rather than as
/// remote_error: with its state when E is sendable, else made from its what(). To be called in the
/// parent, at any time and from any thread; workers learn of it with the next task. A class derived
/// from E must be registered by itself.
template <class E>
void register_exception() {
    using how = detail::registered_exception<E>;
    static_assert(std::is_same_v<E, std::remove_cvref_t<E>> && std::copy_constructible<E>,
                  "coproc: an exception type must be an object type that can be copied");
    static_assert(how::can_travel,
                  "coproc: an exception that shall arrive as itself must be sendable (`auto "
                  "members() { return std::tie(...); }`), "
                  "or constructible from a std::string or const char*");
    if constexpr (how::can_travel) detail::exception_registry::add(&detail::operations_of<E>);
}

} // namespace coproc
