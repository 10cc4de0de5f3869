// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// The object that a worker keeps between two calls, see kept_word.hpp.

#include <src/kept_word.hpp>

#include <memory>
#include <shared/object.hpp>
#include <utility>

namespace coproc::detail {

/// The worker's side. Not thread safe.
class kept_object {
public:
    void attach(kept_word& word) noexcept { word_ = &word; }

    void keep(std::shared_ptr<shared::object> object) noexcept {
        if (word_ == nullptr || object == object_ || !kept_word::fits(object->identity())) return;
        if (object_ != nullptr && !word_->withdraw()) return;
        object_ = std::move(object);
        word_->keep(object_->identity());
    }
    [[nodiscard]] const std::shared_ptr<shared::object>& object() const noexcept { return object_; }
    [[nodiscard]] bool keeps() const noexcept { return object_ != nullptr; }
    void redeem() noexcept {
        if (object_ != nullptr) word_->redeem();
    }
    void let_go() noexcept {
        if (object_ != nullptr && word_->withdraw()) object_.reset();
    }
    /// A process takes part in an object no longer than it uses it.
    void call_ended() noexcept {
        if (object_ != nullptr && object_.use_count() == 1 && object_->is_party()) let_go();
    }

private:
    kept_word* word_ = nullptr;
    std::shared_ptr<shared::object> object_;
};

} // namespace coproc::detail
