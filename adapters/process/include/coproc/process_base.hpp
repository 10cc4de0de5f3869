// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/detail/process_job.hpp>
#include <coproc/process_handle.hpp>
#include <coproc/process_options.hpp>

#include <type_traits>
#include <utility>

namespace coproc {

template <class Derived>
class process_base;

namespace detail {

/// An object with run() as it travels: its members().
template <class Derived>
class object_job final : public process_job {
public:
    explicit object_job(const Derived& object) noexcept : object_{object} {}

    invoker remote() const noexcept override { return &run; }
    void size(sizer& s) const override {
        if constexpr (has_state()) codec_for<Derived>::size(s, object_);
    }
    void encode(writer& w) const override {
        if constexpr (has_state()) codec_for<Derived>::encode(w, object_);
    }

private:
    static void run(call_context& call) {
        auto& here = static_cast<process_call&>(call);
        make_next_process(here.self());
        Derived object{};
        if constexpr (has_state()) codec_for<Derived>::decode_members(call.in(), object);
        here.arguments_taken();
        object.run();
    }

    static consteval bool has_state() {
        using base = process_base<Derived>;
        static_assert(std::is_base_of_v<base, Derived>,
                      "coproc: process_base<T> is a base of T itself");
        static_assert(std::is_default_constructible_v<Derived>,
                      "coproc: a class derived from process_base is made anew in the child, so it "
                      "must be default-constructible");
        static_assert(
            requires(Derived& object) { object.run(); },
            "coproc: a class derived from process_base needs a public run()");
        constexpr bool named = has_members<Derived> || has_free_members<Derived>;
        static_assert(named || sizeof(Derived) == sizeof(base),
                      "coproc: a class derived from process_base names the state that its run() "
                      "needs in auto members() { return std::tie(a, b); }");
        if constexpr (named) {
            require_sendable<Derived>();
            static_assert(codec_for<Derived>::by_reference,
                          "coproc: members() of a class derived from process_base returns "
                          "references: std::tie(a, b)");
        }
        return named;
    }

    const Derived& object_;
};

} // namespace detail

/// The base of a class that is a process, with what it runs in run():
///
///     struct crawler : coproc::process_base<crawler> {
///         std::string url;
///         int depth = 0;
///         auto members() { return std::tie(url, depth); }
///         void run() { ... }
///     };
///
///     crawler c;
///     c.url = "...";
///     c.start();
///     c.join();
///
/// run() is called in the child, on an object that is default-constructed there and whose members()
/// have the values they had here at start(); a class without state needs no members(). What run()
/// changes stays in the child. There name(), pid() and daemon() are the process's own. All else is
/// as with `process`, from which it differs in nothing but where the function comes from.
template <class Derived>
class process_base : public detail::process_owner {
public:
    // Not protected: the derived class may be an aggregate, whose base is made by whoever makes it.
    process_base() : process_base{process_options{}} {}
    /// For a derived class with a constructor: `crawler() : process_base{{.name = "crawler"}} {}`
    explicit process_base(process_options options)
        : process_owner{detail::new_process(std::move(options), nullptr)} {}

    /// Starts it: see process::start().
    void start() {
        detail::start_process(get(),
                              detail::object_job<Derived>{static_cast<const Derived&>(*this)});
    }
};

} // namespace coproc
