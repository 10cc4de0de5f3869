// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <coproc/dummy/detail/thread_target.hpp>
#include <coproc/process_handle.hpp>
#include <coproc/process_options.hpp>

#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coproc::dummy {

template <class Derived>
class process_base;

} // namespace coproc::dummy

namespace coproc::detail {

/// An object with run() as it goes to a thread: the values of its members().
template <class Derived>
class object_target final : public thread_target {
    static consteval bool has_state() {
        using base = dummy::process_base<Derived>;
        static_assert(std::is_base_of_v<base, Derived>,
                      "coproc: process_base<T> is a base of T itself");
        static_assert(std::is_default_constructible_v<Derived>,
                      "coproc: a class derived from process_base is made anew in the thread, so it "
                      "must be default-constructible");
        static_assert(
            requires(Derived& object) { object.run(); },
            "coproc: a class derived from process_base needs a public run()");
        constexpr bool named = requires(Derived& object) { object.members(); };
        constexpr bool named_freely = requires(Derived& object) { coproc_members(object); };
        static_assert(named || named_freely || sizeof(Derived) == sizeof(base),
                      "coproc: a class derived from process_base names the state that its run() "
                      "needs in auto members() { return std::tie(a, b); }");
        return named || named_freely;
    }
    static auto members_of(Derived& object) {
        if constexpr (!has_state())
            return std::tuple<>{};
        else if constexpr (requires { object.members(); })
            return object.members();
        else
            return coproc_members(object);
    }

    template <class T>
    struct kept;
    template <class... M>
    struct kept<std::tuple<M...>> {
        using type = std::tuple<std::remove_cvref_t<M>...>;
        /// Copies what can be copied, and takes the rest.
        static type of(std::tuple<M...> members) {
            return std::apply([](auto&... x) { return type{copy(x)...}; }, members);
        }
        template <class X>
        static decltype(auto) copy(X& x) {
            if constexpr (std::is_copy_constructible_v<std::remove_const_t<X>>)
                return std::as_const(x);
            else
                return std::move(x);
        }
    };
    using state = kept<decltype(members_of(std::declval<Derived&>()))>;

public:
    explicit object_target(Derived& object) : state_{state::of(members_of(object))} {}

    void run() override {
        make_next_thread_process(this_thread_process());
        Derived object{};
        auto members = members_of(object);
        members = std::move(state_);
        object.run();
    }

private:
    typename state::type state_;
};

} // namespace coproc::detail

namespace coproc::dummy {

/// coproc::process_base on a thread: run() is called there on an object that is default-constructed
/// and given the values of this one's members(), so that it behaves as it would in a process. The
/// members may be of any type; what cannot be copied is moved.
template <class Derived>
class process_base : public detail::process_owner {
public:
    // Not protected: the derived class may be an aggregate, whose base is made by whoever makes it.
    process_base() : process_base{process_options{}} {}
    /// For a derived class with a constructor: `crawler() : process_base{{.name = "crawler"}} {}`
    explicit process_base(process_options options)
        : process_owner{detail::new_thread_process(std::move(options), nullptr)} {}

    /// Starts it: see process::start().
    void start() {
        detail::start_thread_process(
            get(), std::make_unique<detail::object_target<Derived>>(static_cast<Derived&>(*this)));
    }
};

} // namespace coproc::dummy
