// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/pool.hpp>

#include <coproc/detail/identity.hpp>

#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>

namespace coproc {

namespace {

/// Passes the end of a pool on to one of possibly many who wait for it.
class join_relay final : public detail::continuation {
public:
    explicit join_relay(detail::state_ptr<void> to) : to_{std::move(to)} {}
    void resume() noexcept override {
        to_->complete();
        delete this;
    }

private:
    ~join_relay() override = default;
    detail::state_ptr<void> to_;
};

} // namespace

void detail::require_own(const backend& pool) {
    if (pool.inherited())
        throw std::logic_error{
            "coproc: this pool belongs to the process that this one was forked from"};
}

unsigned detail::worker_count(std::intmax_t n) {
    if (n < 0 || n > std::numeric_limits<unsigned>::max())
        throw std::invalid_argument{"coproc::pool: " + std::to_string(n) +
                                    " workers were asked for (0 means one for each CPU)"};
    return static_cast<unsigned>(n);
}

const detail::backend_ptr& detail::backend_of(const backend_ptr& pool) {
    if (!pool) throw pool_closed_error{"coproc: the pool has been moved from"};
    require_own(*pool);
    return pool; // NOLINT(bugprone-return-const-ref-from-parameter): see its deleted overload
}

detail::failure_info detail::here(const work& w, std::uint64_t item) {
    failure_info info;
    info.index = w.many() ? item : 0;
    info.worker_pid = ::getpid();
    const auto* const worker = name_of_worker_thread();
    info.worker_name = worker != nullptr ? *worker : w.pool()->name();
    info.label = w.settings().label_text();
    return info;
}

pool::pool(pool_options options) : backend_{detail::make_backend(options)} {}

pool& pool::operator=(pool&& other) noexcept {
    if (this != &other) {
        const pool old{std::move(*this)};
        backend_ = std::move(other.backend_);
    }
    return *this;
}

pool::~pool() {
    if (!backend_ || backend_->inherited()) return;
    backend_->terminate();
    backend_->joined().wait();
}

void pool::close() {
    if (backend_ && !backend_->inherited()) backend_->close();
}
void pool::terminate() {
    if (backend_ && !backend_->inherited()) backend_->terminate();
}

void pool::require_joinable() const {
    if (!backend_) return;
    detail::require_own(*backend_);
    if (!backend_->closed())
        throw std::logic_error{"coproc: join() on an open pool would wait for ever: call close() "
                               "or terminate() first"};
    if (backend_->on_worker_thread())
        throw std::logic_error{"coproc: a task cannot wait for the end of the pool that runs it"};
}

void pool::prepare_to_block() {
    require_joinable();
    if (backend_) backend_->abandon_streams_of(std::this_thread::get_id());
}

void pool::join() {
    prepare_to_block();
    if (backend_) backend_->joined().wait();
}

bool pool::join(duration timeout) {
    require_joinable();
    if (!backend_ || backend_->joined().ready()) return true;
    if (timeout.count() <= 0) return false;
    prepare_to_block();
    return backend_->joined().wait(detail::deadline_after(timeout));
}

detail::state_ptr<void> pool::join_state() {
    require_joinable();
    detail::state_ptr<void> state{new detail::result_state<void>};
    auto* relay = new join_relay{state};
    if (!backend_ || !backend_->joined().attach(*relay)) relay->resume();
    return state;
}

pool_stats pool::stats() const { return backend_ ? backend_->stats() : pool_stats{}; }
std::size_t pool::workers() const { return backend_ ? backend_->workers() : 0; }

} // namespace coproc
