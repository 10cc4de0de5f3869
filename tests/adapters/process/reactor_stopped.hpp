// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <src/reactor.hpp>

#include <boost/asio/post.hpp>

#include <future>

namespace coproc_test {

/// Keeps the reactor's thread from doing anything while it lives.
class reactor_stopped {
public:
    reactor_stopped() {
        boost::asio::post(coproc::detail::reactor(), [this] {
            stopped_.set_value();
            go_on_.get_future().wait();
            gone_.set_value();
        });
        stopped_.get_future().wait();
    }
    reactor_stopped(const reactor_stopped&) = delete;
    reactor_stopped& operator=(const reactor_stopped&) = delete;
    ~reactor_stopped() {
        go_on_.set_value();
        gone_.get_future().wait();
    }

private:
    std::promise<void> stopped_;
    std::promise<void> go_on_;
    std::promise<void> gone_;
};

} // namespace coproc_test
