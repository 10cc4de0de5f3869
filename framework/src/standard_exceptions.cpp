// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include "exception_registry.hpp"

#include <coproc/detail/made_once.hpp>
#include <coproc/detail/type_name.hpp>

#include <any>
#include <filesystem>
#include <functional>
#include <future>
#include <ios>
#include <memory>
#include <new>
#include <regex>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <typeinfo>
#include <unordered_map>
#include <variant>
#include <version>

#if defined(__cpp_lib_format)
#include <format>
#endif

namespace coproc::detail {
namespace {

/// "opening x" out of "opening x: No such file or directory": what the constructor will add again
/// is taken away.
std::string without_message(std::string_view what, const std::error_code& code) {
    const std::string message = code.message();
    if (what == message) return {};
    const std::string suffix = ": " + message;
    if (what.ends_with(suffix)) what.remove_suffix(suffix.size());
    return std::string{what};
}

/// The state that a type has besides its text, and how it is made again. Most types: the text is
/// all.
template <class E>
struct revived {
    static void size(sizer&, const E&) {}
    static void encode(writer&, const E&) {}
    static E make(reader&, const std::string& what) {
        if constexpr (std::constructible_from<E, const std::string&>)
            return E(what);
        else
            return E();
    }
};

template <class E>
    requires std::derived_from<E, std::system_error> &&
             (!std::same_as<E, std::filesystem::filesystem_error>)
struct revived<E> {
    static void size(sizer& s, const E& e) { detail::size(s, e.code()); }
    static void encode(writer& w, const E& e) { detail::encode(w, e.code()); }
    static E make(reader& r, const std::string& what) {
        const auto code = decode<std::error_code>(r);
        const std::string text = without_message(what, code);
        if constexpr (std::same_as<E, std::system_error>)
            return text.empty() ? E(code) : E(code, text);
        else
            return E(text, code);
    }
};

template <>
struct revived<std::filesystem::filesystem_error> {
    using E = std::filesystem::filesystem_error;
    /// The base's text, before the paths were added to it.
    static std::string text(const E& e) {
        return without_message(e.std::system_error::what(), e.code());
    }
    static void size(sizer& s, const E& e) {
        detail::size(s, e.code());
        detail::size(s, text(e));
        detail::size(s, e.path1());
        detail::size(s, e.path2());
    }
    static void encode(writer& w, const E& e) {
        detail::encode(w, e.code());
        detail::encode(w, text(e));
        detail::encode(w, e.path1());
        detail::encode(w, e.path2());
    }
    static E make(reader& r, const std::string&) {
        const auto code = decode<std::error_code>(r);
        const auto what = decode<std::string>(r);
        const auto path1 = decode<std::filesystem::path>(r);
        const auto path2 = decode<std::filesystem::path>(r);
        if (!path2.empty()) return E(what, path1, path2, code);
        if (!path1.empty()) return E(what, path1, code);
        return E(what, code);
    }
};

template <>
struct revived<std::future_error> {
    using E = std::future_error;
    static void size(sizer& s, const E&) { s.bytes(sizeof(int)); }
    static void encode(writer& w, const E& e) { w.raw(e.code().value()); }
    static E make(reader& r, const std::string&) {
        return E(static_cast<std::future_errc>(r.raw<int>()));
    }
};

template <>
struct revived<std::regex_error> {
    using E = std::regex_error;
    static void size(sizer& s, const E&) { s.bytes(sizeof(int)); }
    static void encode(writer& w, const E& e) { w.raw(static_cast<int>(e.code())); }
    static E make(reader& r, const std::string&) {
        return E(static_cast<std::regex_constants::error_type>(r.raw<int>()));
    }
};

template <>
struct revived<timeout_error> {
    using E = timeout_error;
    static void size(sizer& s, const E&) { s.bytes(1); }
    static void encode(writer& w, const E& e) { w.raw(static_cast<std::uint8_t>(e.kind())); }
    static E make(reader& r, const std::string& what) {
        const auto kind = r.raw<std::uint8_t>();
        if (kind > static_cast<std::uint8_t>(timeout_kind::running)) malformed();
        return E(static_cast<timeout_kind>(kind), what);
    }
};

template <class E>
struct standard_operations {
    static std::optional<std::vector<std::byte>> encode(const std::exception_ptr& exception) {
        try {
            std::rethrow_exception(exception);
        } catch (const E& e) {
            sizer s;
            revived<E>::size(s, e);
            std::vector<std::byte> bytes(s.size());
            writer w{bytes};
            revived<E>::encode(w, e);
            return bytes;
        } catch (...) {
            return std::nullopt;
        }
    }
    static std::exception_ptr decode(reader& r, const std::string& what, const failure_info& where,
                                     const std::exception_ptr& cause) {
        const E e = revived<E>::make(r, what);
        if (e.what() != what) return make_exception(worded<E>{e, where, what}, cause);
        return make_failure(e, where, cause);
    }
    static constexpr exception_operations operations{&typeid(E), &encode, &decode,
                                                     &registered_exception<E>::wrap};
};

/// A worker that a task's own pool lost. Its where() is of the outer task, but for the process that
/// died.
struct lost_operations {
    using E = worker_lost_error;
    static std::optional<std::vector<std::byte>> encode(const std::exception_ptr& exception) {
        try {
            std::rethrow_exception(exception);
        } catch (const E& e) {
            return to_bytes(std::pair{static_cast<std::int32_t>(e.pid()),
                                      static_cast<std::int32_t>(e.exit_code())});
        } catch (...) {
            return std::nullopt;
        }
    }
    static std::exception_ptr decode(reader& r, const std::string& what, const failure_info& where,
                                     const std::exception_ptr& cause) {
        failure_info inner = where;
        inner.worker_pid = r.raw<std::int32_t>();
        const int exit_code = r.raw<std::int32_t>();
        return make_exception(E{std::move(inner), exit_code, what}, cause);
    }
    static std::exception_ptr wrap(const std::exception_ptr& exception, const failure_info&) {
        return exception;
    }
    static constexpr exception_operations operations{&typeid(E), &encode, &decode, &wrap};
};

template <class... E>
struct list {};

/// Both sides run the same build, so the position is as good as a name.
using standard_types =
    list<std::exception, std::logic_error, std::domain_error, std::invalid_argument,
         std::length_error, std::out_of_range, std::runtime_error, std::range_error,
         std::overflow_error, std::underflow_error, std::bad_alloc, std::bad_array_new_length,
         std::bad_cast, std::bad_typeid, std::bad_exception, std::bad_weak_ptr,
         std::bad_function_call, std::bad_any_cast, std::bad_optional_access,
         std::bad_variant_access, std::system_error, std::filesystem::filesystem_error,
         std::ios_base::failure, std::future_error, std::regex_error,
#if defined(__cpp_lib_format)
         std::format_error,
#endif
         error, timeout_error, cancelled_error, pool_closed_error, bootstrap_error,
         serialization_error, queue_empty_error, queue_full_error, queue_closed_error,
         broken_barrier_error, owner_died_error, end_of_stream_error, authentication_error>;

template <class... E>
std::vector<const exception_operations*> table_of(list<E...>) {
    return {&standard_operations<E>::operations..., &lost_operations::operations};
}

using operations_table = std::vector<const exception_operations*>;
constinit made_once<operations_table> the_table;

const operations_table& table() {
    return the_table.get([] { return table_of(standard_types{}); });
}

using exceptions_by_name = std::unordered_map<std::string, standard_exception>;
constinit made_once<exceptions_by_name> the_names;

} // namespace

const standard_exception* find_standard(const std::string& type_name) {
    const auto& by_name = the_names.get([] {
        exceptions_by_name names;
        for (std::size_t i = 0; i != table().size(); ++i)
            names.emplace(unwrapped_type_name(*table()[i]->type),
                          standard_exception{static_cast<std::uint16_t>(i), table()[i]});
        return names;
    });
    const auto found = by_name.find(type_name);
    return found == by_name.end() ? nullptr : &found->second;
}

const exception_operations* standard_by_number(std::uint16_t number) noexcept {
    return number < table().size() ? table()[number] : nullptr;
}

} // namespace coproc::detail
