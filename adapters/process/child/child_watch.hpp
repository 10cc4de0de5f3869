// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The reactor's side of one process: what it says on its way into its function, and its end. Owns
// itself until the end.

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <child/process_child.hpp>
#include <exception>
#include <memory>

namespace coproc::detail {

class child_watch : public std::enable_shared_from_this<child_watch> {
public:
    child_watch(process_child& of, std::shared_ptr<worker_process> process);
    child_watch(const child_watch&) = delete;
    child_watch& operator=(const child_watch&) = delete;
    ~child_watch();

    void begin();

private:
    void watch();
    void wait_for_end();
    void wait_for_bell();
    void listen();
    void hear(incoming& message);
    void give_up(std::exception_ptr why);
    void on_end();
    [[nodiscard]] std::exception_ptr verdict(int& exit_code) const;
    void release_descriptors() noexcept;

    const boost::intrusive_ptr<process_child> child_;
    std::shared_ptr<worker_process> process_;
    bool heard_ = false; // hello: the program has entered coproc::runtime
    bool ready_ = false; // it has its arguments, and says nothing from now on
    std::exception_ptr error_;

    boost::asio::posix::stream_descriptor bell_;
    boost::asio::posix::stream_descriptor end_;
    boost::asio::steady_timer patience_;
};

} // namespace coproc::detail
