// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What the tests of managers have in common. Each case runs on both: TEMPLATE_TEST_CASE("...", "",
// MANAGER_VOCABULARIES), and TestType::manager is the manager.

#include "support/pools.hpp"

#include <coproc/dummy/manager.hpp>
#include <coproc/manager.hpp>

namespace coproc_test {

/// Its objects are in this program.
struct manager_on_threads {
    using manager = coproc::dummy::manager;
    using mutex = coproc::dummy::mutex_proxy;
    template <class T>
    using queue = coproc::dummy::queue_proxy<T>;
    template <class T>
    using value = coproc::dummy::value_proxy<T>;
    template <class K, class V>
    using dict = coproc::dummy::dict_proxy<K, V>;
};

/// Its objects are in a process of its own.
struct manager_on_processes {
    using manager = coproc::manager;
    using mutex = coproc::mutex_proxy;
    template <class T>
    using queue = coproc::queue_proxy<T>;
    template <class T>
    using value = coproc::value_proxy<T>;
    template <class K, class V>
    using dict = coproc::dict_proxy<K, V>;
};

#define MANAGER_VOCABULARIES manager_on_threads, manager_on_processes

} // namespace coproc_test
