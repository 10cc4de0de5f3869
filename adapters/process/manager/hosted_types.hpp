// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The kinds of hosted objects.

#include <coproc/codec.hpp>

#include <cstring>
#include <deque>
#include <manager/hosted.hpp>
#include <string_view>

namespace coproc::detail {

class hosted_objects::object {
public:
    object(hosted_kind kind, std::string type) : kind_{kind}, type_{std::move(type)} {}
    object(const object&) = delete;
    object& operator=(const object&) = delete;
    virtual ~object() = default;

    /// Answers or parks the request.
    virtual void handle(hosted_objects& host, hosted_request& request,
                        std::optional<clock::time_point> deadline) = 0;
    /// The client has gone; its parked requests are off the lists already.
    virtual void leave(hosted_objects&, client_id) {}
    /// An element comes back: its receiver is gone.
    virtual void put_back(hosted_objects&, hosted_value&&) {}
    /// What a client was given and has not used.
    virtual void give_back(hosted_objects&, hosted_request&) {}
    /// A waiter has left a list of this object's.
    virtual void waiter_left(hosted_objects&) {}

    [[nodiscard]] hosted_kind kind() const noexcept { return kind_; }
    [[nodiscard]] const std::string& type() const noexcept { return type_; }

    object_id id = 0;
    std::uint64_t references = 0;

private:
    hosted_kind kind_;
    std::string type_;
};

/// Puts an answer together.
class answer_writer {
public:
    template <class T>
    answer_writer& raw(const T& value) {
        return append(&value, sizeof value);
    }
    answer_writer& counted(const bytes_t& bytes) {
        raw(static_cast<std::uint64_t>(bytes.size()));
        return append(bytes.data(), bytes.size());
    }
    answer_writer& text(std::string_view text) {
        raw(static_cast<std::uint64_t>(text.size()));
        return append(text.data(), text.size());
    }
    /// With its length, for answers of several values.
    answer_writer& counted(const hosted_value& value) {
        counted(value.bytes);
        answer.descriptors.insert(answer.descriptors.end(), value.descriptors.begin(),
                                  value.descriptors.end());
        return *this;
    }

    hosted_answer answer{};

private:
    // By hand: g++ 12 at -O3 takes vector::insert for an overflow here.
    answer_writer& append(const void* from, std::size_t size) {
        const std::size_t at = answer.payload.size();
        answer.payload.resize(at + size);
        if (size != 0) std::memcpy(answer.payload.data() + at, from, size);
        return *this;
    }
};

inline hosted_answer value_answer(const hosted_value& value) {
    return {manager_status::ok, value.bytes, value.descriptors};
}
inline hosted_answer value_answer(hosted_value&& value) {
    return {manager_status::ok, std::move(value.bytes), std::move(value.descriptors)};
}

/// The rest of a request's payload, with its descriptors and loans.
inline hosted_value rest_of(hosted_request& request, const reader& r) {
    const std::size_t used = request.payload.size() - r.left();
    if (used != 0)
        request.payload.erase(request.payload.begin(),
                              request.payload.begin() + static_cast<std::ptrdiff_t>(used));
    return {std::move(request.payload), std::move(request.descriptors), std::move(request.loans)};
}

inline std::string_view as_text(const bytes_t& bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::unique_ptr<hosted_objects::object> make_hosted(hosted_kind kind, std::string type, reader& r,
                                                    std::shared_ptr<kept_loans> loans);

/// A user's object is not known to its class here.
class hosted_user final : public hosted_objects::object {
public:
    hosted_user(std::string type, std::shared_ptr<user_object> user)
        : hosted_objects::object{hosted_kind::object, std::move(type)}, user_{std::move(user)} {}
    void handle(hosted_objects&, hosted_request&,
                std::optional<hosted_objects::clock::time_point>) override {}
    [[nodiscard]] const std::shared_ptr<user_object>& user() const noexcept { return user_; }

private:
    std::shared_ptr<user_object> user_;
};

} // namespace coproc::detail
