// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/exception_codec.hpp>

#include "exception_registry.hpp"

#include <coproc/detail/backtrace.hpp>
#include <coproc/detail/type_name.hpp>

#include <cxxabi.h>

namespace coproc::detail {
namespace {

// exception   u8 form, type name, what, [number | accessor, state], backtrace, u8 caused,
// [exception]

enum class form : std::uint8_t { text, standard, registered };

constexpr int most_causes = 16;

struct described {
    form how = form::text;
    std::string type_name;
    std::string what;
    std::uint16_t number = 0;
    exception_accessor accessor = nullptr;
    std::vector<std::byte> state;
    backtrace_data trace;
    std::exception_ptr cause;
};

/// The state as bytes, unless the type's own code fails at that.
bool encode_state(const exception_operations& operations, const std::exception_ptr& exception,
                  described& d) {
    try {
        auto state = operations.encode(exception);
        if (!state) return false;
        d.state = std::move(*state);
        return true;
    } catch (...) {
        return false;
    }
}

void describe_object(const std::exception& e, described& d) {
    const char* what = e.what();
    if (what != nullptr) d.what = what;
    d.cause = cause_of(e);
    if (d.trace.empty())
        if (const auto* failure = dynamic_cast<const task_failure*>(&e))
            d.trace = failure->where().backtrace;
}

described describe(const std::exception_ptr& exception) {
    described d;
    d.trace = thrown_backtrace(exception);
    const std::type_info* type = nullptr;
    try {
        std::rethrow_exception(exception);
    } catch (const std::exception& e) {
        type = abi::__cxa_current_exception_type();
        d.type_name = current_exception_type_name();
        describe_object(e, d);
        if (dynamic_cast<const remote_error*>(&e) != nullptr) return d;
    } catch (const std::nested_exception& e) {
        type = abi::__cxa_current_exception_type();
        d.type_name = current_exception_type_name();
        d.what = "an exception of type " + d.type_name;
        d.cause = e.nested_ptr();
    } catch (const std::string& text) {
        type = abi::__cxa_current_exception_type();
        d.type_name = "std::string";
        d.what = text;
    } catch (const char* text) {
        type = abi::__cxa_current_exception_type();
        d.type_name = "const char*";
        d.what = text != nullptr ? text : "";
    } catch (...) {
        type = abi::__cxa_current_exception_type();
        d.type_name = current_exception_type_name();
        d.what = "an exception of type " + d.type_name;
    }
    if (const auto* standard = find_standard(d.type_name)) {
        d.number = standard->number;
        if (encode_state(*standard->operations, exception, d)) d.how = form::standard;
    } else if (type != nullptr) {
        d.accessor = find_registered(*type, d.type_name);
        if (d.accessor != nullptr && encode_state(d.accessor(), exception, d))
            d.how = form::registered;
    }
    return d;
}

void size_described(sizer& s, const described& d) {
    s.bytes(1);
    size(s, d.type_name);
    size(s, d.what);
    if (d.how == form::standard) s.bytes(sizeof d.number);
    if (d.how == form::registered) size(s, d.accessor);
    if (d.how != form::text) size(s, d.state);
    size_backtrace(s, d.trace);
    s.bytes(1);
}

void encode_described(writer& w, const described& d, bool caused) {
    w.raw(d.how);
    encode(w, d.type_name);
    encode(w, d.what);
    if (d.how == form::standard) w.raw(d.number);
    if (d.how == form::registered) encode(w, d.accessor);
    if (d.how != form::text) encode(w, d.state);
    encode_backtrace(w, d.trace);
    w.raw(static_cast<std::uint8_t>(caused));
}

std::exception_ptr decode_chain(reader& r, const failure_info& where, int depth) {
    const auto how = r.raw<form>();
    auto type_name = decode<std::string>(r);
    const auto what = decode<std::string>(r);
    const exception_operations* operations = nullptr;
    std::vector<std::byte> state;
    if (how == form::standard) {
        operations = standard_by_number(r.raw<std::uint16_t>());
        if (operations == nullptr) malformed();
    } else if (how == form::registered) {
        // An address from a worker is not called before it has proved to be one that was registered
        // here.
        const auto accessor = decode<exception_accessor>(r);
        if (is_registered(accessor)) operations = &accessor();
    } else if (how != form::text) {
        malformed();
    }
    if (how != form::text) state = decode<std::vector<std::byte>>(r);

    failure_info own = where;
    auto trace = decode_backtrace(r);
    if (!trace.empty()) own.backtrace = std::move(trace);
    std::exception_ptr cause;
    if (r.raw<std::uint8_t>() != 0) {
        if (depth == most_causes) malformed();
        cause = decode_chain(r, where, depth + 1);
    }
    if (operations == nullptr)
        return make_exception(remote_error{std::move(type_name), what, std::move(own)}, cause);
    reader state_reader{state};
    return operations->decode(state_reader, what, own, cause);
}

} // namespace

std::vector<std::byte> encode_exception(const std::exception_ptr& exception) {
    std::vector<described> chain;
    for (std::exception_ptr next = exception; next != nullptr && chain.size() <= most_causes;
         next = chain.back().cause)
        chain.push_back(describe(next));
    sizer s;
    for (const described& d : chain)
        size_described(s, d);
    std::vector<std::byte> bytes(s.size());
    writer w{bytes};
    for (const described& d : chain)
        encode_described(w, d, &d != &chain.back());
    return bytes;
}

std::exception_ptr decode_exception(reader& r, const failure_info& where) {
    return decode_chain(r, where, 0);
}

std::exception_ptr local_failure(const std::exception_ptr& exception, failure_info where) {
    if (exception == nullptr) return exception;
    auto trace = thrown_backtrace(exception);
    if (!trace.empty()) where.backtrace = std::move(trace);
    const std::type_info* type = nullptr;
    std::string type_name;
    try {
        std::rethrow_exception(exception);
    } catch (const remote_error&) {
        return exception;
    } catch (...) {
        type = abi::__cxa_current_exception_type();
        type_name = current_exception_type_name();
    }
    if (const auto* standard = find_standard(type_name))
        return standard->operations->wrap(exception, where);
    if (type != nullptr)
        if (const auto accessor = find_registered(*type, type_name))
            return accessor().wrap(exception, where);
    return exception;
}

std::exception_ptr initializer_failure(failure_info where, const std::exception_ptr& thrown) {
    std::string text = "coproc: the initializer failed in worker \"" + where.worker_name + "\": ";
    try {
        std::rethrow_exception(thrown);
    } catch (const std::exception& e) {
        text += current_exception_type_name();
        if (const char* const what = e.what(); what != nullptr) text += std::string{": "} + what;
    } catch (...) {
        text += current_exception_type_name();
    }
    return make_failure(bootstrap_error{text}, std::move(where), thrown);
}

} // namespace coproc::detail
