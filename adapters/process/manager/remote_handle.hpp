// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// A server, and the objects in it, as this process knows them.

#include <coproc/detail/remote.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace coproc::detail {

class connection;

/// The server itself.
class server_root final : public remote_target {
public:
    explicit server_root(std::shared_ptr<connection> over) noexcept : over_{std::move(over)} {}

    std::uint64_t start(manager_op op, const remote_payload& what, std::uint64_t timeout,
                        remote_waiter& waiter) const override;

private:
    std::shared_ptr<connection> over_;
};

/// An object in it: one for all its proxies here. It is a reference there, which is released with
/// the last of them.
class remote_handle final : public remote_object,
                            public std::enable_shared_from_this<remote_handle> {
public:
    remote_handle(std::shared_ptr<connection> over, std::uint64_t id, hosted_kind kind,
                  std::string type)
        : over_{std::move(over)}, id_{id}, kind_{kind}, type_{std::move(type)} {}
    ~remote_handle() override;

    remote_reply call(manager_op op, const remote_payload& what, std::uint64_t timeout,
                      const remote_limit* limit) const override;
    std::uint64_t start(manager_op op, const remote_payload& what, std::uint64_t timeout,
                        remote_waiter& waiter) const override;
    void cancel(std::uint64_t request) const noexcept override;
    void give_back(const remote_payload& what) const noexcept override;

    [[nodiscard]] bool same_build() const noexcept override;
    [[nodiscard]] hosted_kind kind() const noexcept override { return kind_; }
    [[nodiscard]] const std::string& type() const noexcept override { return type_; }

    void size(sizer& s) const override;
    void encode(writer& w) const override;

    [[nodiscard]] const connection* over() const noexcept { return over_.get(); }
    [[nodiscard]] std::uint64_t id() const noexcept { return id_; }

private:
    std::shared_ptr<connection> over_;
    std::uint64_t id_;
    hosted_kind kind_;
    std::string type_;
};

} // namespace coproc::detail
