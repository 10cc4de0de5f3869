// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <passing/queue_object.hpp>

#include <coproc/error.hpp>
#include <os/socket.hpp>
#include <os/system_call.hpp>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <exception>
#include <stdexcept>

namespace coproc::detail {
namespace {

constexpr unsigned segment_class = 6; // 256 KiB
constexpr std::uint32_t segment_size = 4096u << segment_class;
// An empty queue begins its segment anew from here on, where the caches are warm.
constexpr std::uint32_t rewind_from = 32 * 1024;

// Position and number in one word.
constexpr std::uint32_t position(std::uint64_t end) noexcept {
    return static_cast<std::uint32_t>(end >> 32);
}
constexpr std::uint32_t number(std::uint64_t end) noexcept {
    return static_cast<std::uint32_t>(end);
}
constexpr std::uint64_t end_at(std::uint32_t position, std::uint32_t number) noexcept {
    return std::uint64_t{position} << 32 | number;
}

enum class record_kind : std::uint16_t { small, large, jump };

constexpr std::uint32_t padded(std::size_t n) noexcept {
    return static_cast<std::uint32_t>((n + 15) & ~std::size_t{15});
}

struct block_reference {
    std::uint64_t place;
    std::uint64_t size;
    std::uint32_t size_class;
    std::uint32_t unused;
};

/// At the beginning of a block that was put back.
struct front_element {
    std::uint64_t next; // as words::front
    std::uint64_t size;
};

/// The descriptors of an element, in order.
class received_descriptors final : public descriptor_source {
public:
    explicit received_descriptors(std::vector<os::unique_fd> descriptors) noexcept
        : descriptors_{std::move(descriptors)} {}
    int take_descriptor() override {
        if (next_ == descriptors_.size())
            throw serialization_error{"coproc: an element came without the handle it names"};
        return descriptors_[next_++].release();
    }

private:
    std::vector<os::unique_fd> descriptors_;
    std::size_t next_ = 0;
};

} // namespace

struct queue_object::record {
    std::uint32_t length; // of what follows
    record_kind what;
    std::uint16_t descriptors;
    std::uint64_t number; // of the message with the descriptors; of a jump: the next segment
};

struct queue_object::taken {
    std::array<std::byte, inline_size> small;
    std::size_t size = 0;
    std::size_t offset = 0; // in the memory
    std::optional<std::uint32_t> claim = {};
    std::shared_ptr<os::mapping> memory = {};
    std::vector<os::unique_fd> descriptors = {};
};

// --- an element before it is in the queue --------------------------------------------------------

outgoing_element::outgoing_element(std::shared_ptr<queue_object> to, std::size_t bytes,
                                   std::size_t descriptors,
                                   shared::function_ref<void(writer&)> encode, bool back)
    : to_{std::move(to)}, size_{bytes} {
    if (descriptors > os::max_descriptors)
        throw serialization_error{"coproc: an element contains more than 250 handles"};
    std::vector<int> borrowed;
    borrowed.reserve(descriptors);
    const auto encode_into = [&](std::byte* memory) {
        writer w{{memory, size_}, &borrowed};
        encode(w);
        if (w.room() != 0 || borrowed.size() != descriptors)
            throw serialization_error{"coproc: a value shrank while it was being encoded (is "
                                      "another thread writing to it?)"};
    };
    if (size_ <= inline_size && !back) {
        encode_into(small_.data());
    } else {
        const std::size_t offset = back ? sizeof(front_element) : 0;
        const auto [claim, memory] = to_->claim_block(size_ + offset);
        claim_ = claim;
        try {
            encode_into(memory->data() + offset);
        } catch (...) {
            to_->give_up(claim);
            throw;
        }
    }
    // The handles may be gone before there is room.
    for (const int fd : borrowed)
        descriptors_.push_back(os::duplicate(fd));
}

outgoing_element::~outgoing_element() {
    if (claim_) to_->give_up(*claim_);
}

// --- the queue -----------------------------------------------------------------------------------

queue_object::queue_object(const queue_options& options)
    : object{shared::create_tag{.what = shared::kind::queue,
                                .type = options.type + (options.joinable ? 1 : 0),
                                .extra = claims * sizeof(claim),
                                .grows = true}},
      heap_{*this, mine().heap, heap_begin} {
    static_assert(heap_begin % 4096 == 0 && sizeof(record) == 16);
    mine().maxsize.store(options.maxsize);
    mine().joinable.store(options.joinable ? 1 : 0);
    if (options.descriptors) lane_.emplace();
}

queue_object::queue_object(os::unique_fd memory, const queue_options& expected,
                           std::optional<descriptor_lane>& lane)
    : object{shared::adopt_tag{.memory = std::move(memory),
                               .what = shared::kind::queue,
                               .type = expected.type + (expected.joinable ? 1 : 0),
                               .mapped = heap_begin}},
      heap_{*this, mine().heap, heap_begin},
      lane_{std::move(lane)} {}

bool queue_object::full() const noexcept {
    const std::uint64_t most = maxsize();
    return most != 0 && size() >= most;
}
std::uint64_t queue_object::size() const noexcept {
    // The head first: an element that is got meanwhile was put before.
    const auto got = number(mine().head.load());
    return number(mine().tail.load()) - got;
}
std::uint64_t queue_object::maxsize() const noexcept { return mine().maxsize.load(); }
bool queue_object::closed() const noexcept { return mine().closed.load() != 0; }

void queue_object::close() {
    {
        const guard held{*this};
        mine().closed.store(1);
    }
    wake_all();
}

// --- claims --------------------------------------------------------------------------------------

std::uint32_t queue_object::free_claim() {
    for (std::uint32_t i = 0; i != claims; ++i) {
        if (claim_at(i).owner.load(std::memory_order_relaxed) != 0) continue;
        if (mine().claims_used.load() <= i) mine().claims_used.store(i + 1);
        return i;
    }
    throw std::system_error{EAGAIN, std::generic_category(),
                            "coproc: more than 4096 large elements of one queue are being read "
                            "and written at once"};
}

std::pair<std::uint32_t, std::shared_ptr<os::mapping>>
queue_object::claim_block(std::size_t bytes) {
    const unsigned size_class = block_heap::class_for(bytes);
    const guard held{*this};
    const auto i = free_claim();
    claim& c = claim_at(i);
    shared::transaction change{base()};
    const block b = heap_.take(size_class, change);
    auto memory = heap_.map(b);
    change.set(c.place, b.place);
    change.set(c.size_class, size_class);
    change.set(c.owner, self() + 1);
    change.commit();
    return {i, std::move(memory)};
}

void queue_object::give_up(std::uint32_t i) noexcept {
    try {
        const guard held{*this};
        give_up_under_guard(claim_at(i));
    } catch (const std::exception&) {
        // The block comes back when this process ends.
    }
}

void queue_object::give_up_under_guard(claim& c) noexcept {
    const block b{c.place.load(), c.size_class.load()};
    try {
        shared::transaction change{base()};
        const bool too_much = heap_.give_back(b, change);
        change.set(c.owner, 0);
        change.commit();
        if (too_much) heap_.empty(b);
    } catch (const std::exception&) {
        c.owner.store(0); // no memory to note it with: it is lost until the queue is gone
    }
}

void queue_object::repair(shared::party& dead) noexcept {
    const std::uint32_t owner = index_of(dead) + 1;
    const auto used = std::min(mine().claims_used.load(), std::uint32_t{claims});
    for (std::uint32_t i = 0; i != used; ++i) {
        claim& c = claim_at(i);
        if (c.owner.load() == owner) give_up_under_guard(c);
    }
    if (const auto lost = dead.held[given].load(); lost != 0) {
        const auto unfinished = mine().unfinished.load();
        shared::transaction change{base()};
        change.set(mine().unfinished, unfinished - std::min(unfinished, lost));
        change.set(dead.held[given], 0);
        change.commit();
    }
}

// --- put -----------------------------------------------------------------------------------------

bool queue_object::try_put(outgoing_element& element) {
    const auto refuse = [] {
        throw queue_closed_error{"coproc: put into a queue that was closed"};
    };
    if (closed()) refuse();
    if (full()) return false;
    {
        const guard held{*this};
        if (closed()) refuse();
        if (full() || !append(element)) return false;
    }
    wake(items, 1);
    return true;
}

std::byte* queue_object::tail_segment() {
    const std::uint64_t place = mine().tail_segment.load(std::memory_order_relaxed);
    if (place == tail_place_) return tail_memory_->data();
    tail_memory_ = heap_.map({place, segment_class});
    tail_place_ = place;
    return tail_memory_->data();
}

std::byte* queue_object::head_segment() {
    const std::uint64_t place = mine().head_segment.load(std::memory_order_relaxed);
    if (place == head_place_) return head_memory_->data();
    head_memory_ = heap_.map({place, segment_class});
    head_place_ = place;
    return head_memory_->data();
}

/// Goes on in a segment of its own. All that was written before stays as it is.
void queue_object::next_segment() {
    words& w = mine();
    const auto tail = w.tail.load();
    shared::transaction change{base()};
    const block fresh = heap_.take(segment_class, change);
    static_cast<void>(heap_.map(fresh)); // what can fail fails before the change
    if (w.tail_segment.load() == 0) {
        change.set(w.head_segment, fresh.place);
    } else {
        const record jump{0, record_kind::jump, 0, fresh.place};
        std::memcpy(tail_segment() + position(tail), &jump, sizeof jump);
    }
    change.set(w.tail_segment, fresh.place);
    change.set(w.tail, end_at(0, number(tail)));
    change.commit();
}

bool queue_object::append(outgoing_element& element) {
    words& w = mine();
    const std::size_t inside = element.claim_ ? sizeof(block_reference) : element.size_;
    const std::uint32_t needed = sizeof(record) + padded(inside);
    // There is always room for a jump.
    if (w.tail_segment.load(std::memory_order_relaxed) == 0 ||
        position(w.tail.load()) + needed + sizeof(record) > segment_size)
        next_segment();

    record head{static_cast<std::uint32_t>(inside),
                element.claim_ ? record_kind::large : record_kind::small,
                static_cast<std::uint16_t>(element.descriptors_.size()), 0};
    if (head.descriptors != 0) {
        if (!lane_)
            throw serialization_error{"coproc: an element contains handles, which its type did "
                                      "not say (does its codec lack `parts`?)"};
        head.number = w.last_number.load() + 1;
        std::vector<int> numbers;
        numbers.reserve(element.descriptors_.size());
        for (const auto& fd : element.descriptors_)
            numbers.push_back(fd.get());
        // What lies there while the queue is empty are remains.
        if (size() == 0) lane_->clear();
        w.last_number.store(head.number);
        if (!lane_->send(head.number, numbers)) return false;
    }

    const auto tail = w.tail.load(std::memory_order_relaxed);
    std::byte* const to = tail_segment() + position(tail);
    std::memcpy(to, &head, sizeof head);
    if (element.claim_) {
        const claim& c = claim_at(*element.claim_);
        const block_reference where{c.place.load(), element.size_, c.size_class.load(), 0};
        std::memcpy(to + sizeof head, &where, sizeof where);
    } else if (element.size_ != 0) {
        std::memcpy(to + sizeof head, element.small_.data(), element.size_);
    }

    const auto new_tail = end_at(position(tail) + needed, number(tail) + 1);
    const bool joinable = w.joinable.load(std::memory_order_relaxed) != 0;
    if (!joinable && !element.claim_) {
        w.tail.store(new_tail);
    } else {
        shared::transaction change{base()};
        change.set(w.tail, new_tail);
        if (joinable) change.set(w.unfinished, w.unfinished.load() + 1);
        if (element.claim_) change.set(claim_at(*element.claim_).owner, 0);
        change.commit();
    }
    element.claim_.reset();
    return true;
}

// --- get -----------------------------------------------------------------------------------------

bool queue_object::try_get(shared::function_ref<void(reader&)> decode) {
    if (size() == 0) {
        if (!closed()) return false;
        // Closed first, then looked at: nothing comes any more.
        if (size() == 0)
            throw queue_closed_error{"coproc: get from a queue that was closed and is empty"};
    }
    taken element;
    {
        const guard held{*this};
        if (!take(element)) return false;
    }
    if (maxsize() != 0 || lane_) wake(room, 1);
    struct cleanup {
        queue_object& queue;
        taken& element;
        ~cleanup() {
            if (element.claim) queue.give_up(*element.claim);
        }
    } afterwards{*this, element};
    const std::byte* const bytes =
        element.claim ? element.memory->data() + element.offset : element.small.data();
    received_descriptors descriptors{std::move(element.descriptors)};
    reader r{{bytes, element.size}, &descriptors};
    decode(r);
    return true;
}

bool queue_object::take(taken& into) {
    words& w = mine();
    if (size() == 0) return false;
    if (w.front.load(std::memory_order_relaxed) != 0) {
        take_front(into);
        return true;
    }
    auto head = w.head.load(std::memory_order_relaxed);
    record found{};
    const std::byte* from = nullptr;
    for (;;) {
        from = head_segment() + position(head);
        std::memcpy(&found, from, sizeof found);
        if (found.what != record_kind::jump) break;
        const block old{w.head_segment.load(), segment_class};
        shared::transaction change{base()};
        const bool too_much = heap_.give_back(old, change);
        head = end_at(0, number(head));
        change.set(w.head_segment, found.number);
        change.set(w.head, head);
        change.commit();
        if (too_much) heap_.empty(old);
    }

    if (found.descriptors != 0) {
        if (!lane_) throw serialization_error{"coproc: an element with handles in a queue without"};
        into.descriptors = lane_->look(found.number, found.descriptors);
    }
    block_reference where{};
    if (found.what == record_kind::large) {
        std::memcpy(&where, from + sizeof found, sizeof where);
        into.memory = heap_.map({where.place, where.size_class});
        into.size = static_cast<std::size_t>(where.size);
        into.claim = free_claim();
    } else {
        into.size = found.length;
        std::memcpy(into.small.data(), from + sizeof found, found.length);
    }

    const auto tail = w.tail.load();
    const auto end =
        static_cast<std::uint32_t>(position(head) + sizeof(record)) + padded(found.length);
    const auto new_head = end_at(end, number(head) + 1);
    const bool joinable = w.joinable.load(std::memory_order_relaxed) != 0;
    const bool rewind = end >= rewind_from && number(new_head) == number(tail) &&
                        w.head_segment.load() == w.tail_segment.load();
    if (!joinable && !into.claim && !rewind) {
        w.head.store(new_head);
    } else {
        shared::transaction change{base()};
        change.set(w.head, rewind ? end_at(0, number(new_head)) : new_head);
        if (rewind) change.set(w.tail, end_at(0, number(tail)));
        count_as_given(change);
        if (into.claim) claim_for_reading(change, *into.claim, {where.place, where.size_class});
        change.commit();
    }
    if (found.descriptors != 0) lane_->drop(found.number);
    return true;
}

void queue_object::claim_for_reading(shared::transaction& change, std::uint32_t i, block b) {
    claim& c = claim_at(i);
    change.set(c.place, b.place);
    change.set(c.size_class, b.size_class);
    change.set(c.owner, self() + 1);
}

void queue_object::count_as_given(shared::transaction& change) {
    if (mine().joinable.load(std::memory_order_relaxed) == 0) return;
    auto& held = me().held[given];
    change.set(held, held.load() + 1);
}

// --- back ----------------------------------------------------------------------------------------

void queue_object::put_back(outgoing_element& element) {
    words& w = mine();
    {
        const guard held{*this};
        claim& c = claim_at(*element.claim_);
        const block b{c.place.load(), c.size_class.load()};
        const front_element head{w.front.load(), element.size_};
        std::memcpy(heap_.map(b)->data(), &head, sizeof head);
        const auto end = w.head.load();
        shared::transaction change{base()};
        change.set(w.front, b.place | b.size_class); // a place is a multiple of 4096
        change.set(w.head, end_at(position(end), number(end) - 1));
        change.set(c.owner, 0);
        if (w.joinable.load() != 0)
            if (auto& given_here = me().held[given]; given_here.load() != 0)
                change.set(given_here, given_here.load() - 1);
        change.commit();
        element.claim_.reset();
    }
    wake(items, 1);
}

void queue_object::take_front(taken& into) {
    words& w = mine();
    const auto front = w.front.load();
    const block b{front & ~std::uint64_t{4095}, static_cast<unsigned>(front & 4095)};
    into.memory = heap_.map(b);
    front_element head{};
    std::memcpy(&head, into.memory->data(), sizeof head);
    into.size = static_cast<std::size_t>(head.size);
    into.offset = sizeof head;
    into.claim = free_claim();
    const auto end = w.head.load();
    shared::transaction change{base()};
    change.set(w.front, head.next);
    change.set(w.head, end_at(position(end), number(end) + 1));
    count_as_given(change);
    claim_for_reading(change, *into.claim, b);
    change.commit();
}

// --- done ----------------------------------------------------------------------------------------

void queue_object::task_done() {
    {
        const guard held{*this};
        const auto unfinished = mine().unfinished.load();
        if (unfinished == 0)
            throw std::logic_error{"coproc: task_done was called more often than there were "
                                   "elements in the queue"};
        auto& mine_to_do = me().held[given];
        const auto given_here = mine_to_do.load();
        shared::transaction change{base()};
        change.set(mine().unfinished, unfinished - 1);
        if (given_here != 0) change.set(mine_to_do, given_here - 1);
        change.commit();
        if (unfinished != 1) return;
    }
    wake(done, INT_MAX);
}

bool queue_object::all_done() const noexcept { return mine().unfinished.load() == 0; }

} // namespace coproc::detail
