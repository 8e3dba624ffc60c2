#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace millrace {

/// A number that is not just a number: ids of different things do not mix. `Tag` is an otherwise unused struct.
template <class Tag, class T>
struct Id {
  T value{};

  constexpr Id() = default;
  constexpr explicit Id(T v) : value(v) {}
  friend constexpr auto operator<=>(Id, Id) = default;

  // Positions are counted with: offset + count, offset - offset.
  friend constexpr Id operator+(Id a, T n) { return Id(a.value + n); }
  friend constexpr T operator-(Id a, Id b) { return a.value - b.value; }
  constexpr Id& operator+=(T n) {
    value += n;
    return *this;
  }
};

}  // namespace millrace

template <class Tag, class T>
struct std::hash<millrace::Id<Tag, T>> {
  size_t operator()(millrace::Id<Tag, T> id) const noexcept { return std::hash<T>()(id.value); }
};
