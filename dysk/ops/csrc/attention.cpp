#include "attention.h"

#include <torch/csrc/stable/ops.h>

#include <algorithm>
#include <memory>
#include <numeric>

namespace dysk {
namespace {

using torch::stable::parallel_for;

// Bytes of scores at a time, all threads together: they stay in the cache, and memory stays small
// however many queries and candidates there are.
constexpr int64_t kWorkspace = 8 << 20;
// Multiply-adds that are worth waking another thread for.
constexpr int64_t kWorthAThread = 1 << 17;
constexpr int64_t kCandidatesAtOnce = 256;
constexpr int64_t kUsualTokens = 16;  // of a block, to guess how much work it is

std::unique_ptr<float[]> floats(int64_t n) { return std::unique_ptr<float[]>(new float[n]); }

int64_t grain(int64_t work_of_one) { return std::max<int64_t>(1, kWorthAThread / (work_of_one + 1)); }

// One row of the batch.
class Row {
 public:
  Row(const Call& call, const Kernels& kernels, int64_t row, int64_t workspace)
      : call_(call), kernels_(kernels), memory_(call.memory), row_(row),
        group_(call.heads / memory_.kv_heads), stride_(padded(memory_.dim)),
        workspace_(workspace),
        eligible_row_({{call.candidates + row * call.candidate_strides[0],
                        call.candidate_strides[1]},
                       {call.prior ? call.prior + row * call.prior_strides[0] : nullptr,
                        call.prior_strides[1]},
                       call.columns}) {}

  Fault attend() {
    fault_ = eligible_row_.find(memory_, call_.check);
    eligible_ = eligible_row_.eligible();
    if (call_.k >= eligible_.count || call_.k == 0) {
      if (call_.check) fault_ = graver(fault_, bounds(memory_, eligible_, 0, eligible_.count));
      if (call_.k == 0) eligible_.count = 0;
      if (fault_.kind == Fault::none) attend_to_all();
      return fault_;
    }
    const int64_t bytes = eligible_.count * sizeof(float) + stride_ * sizeof(float);
    const int64_t heads = std::clamp<int64_t>(workspace_ / bytes, 1, memory_.kv_heads);
    const int64_t queries = std::clamp<int64_t>(workspace_ / (bytes * heads), 1, call_.queries);
    for (int64_t head = 0; head < memory_.kv_heads; head += heads) {
      for (int64_t query = 0; query < call_.queries; query += queries) {
        attend_to_best(head, std::min(heads, memory_.kv_heads - head), query,
                       std::min(queries, call_.queries - query));
      }
    }
    return fault_;
  }

 private:
  // Every query reads the same blocks, so that many share each token on its way from memory.
  void attend_to_all() {
    const int64_t at_once = std::max<int64_t>(1, kQueryBatch / group_);
    const int64_t tiles = (call_.queries + at_once - 1) / at_once;
    const int64_t work = eligible_.count * kUsualTokens * group_ * at_once * memory_.dim * 2;
    parallel_for(0, memory_.kv_heads * tiles, grain(work), [&](int64_t begin, int64_t end) {
      const auto scratch = floats(scratch_size());
      for (int64_t task = begin; task < end; ++task) {
        const int64_t head = task / tiles, first = task % tiles * at_once;
        const int64_t last = std::min(first + at_once, call_.queries);
        for (int64_t query = first; query < last; ++query) select(head, query, nullptr);
        read(head, first, last, nullptr, eligible_.count, scratch.get());
      }
    });
  }

  void attend_to_best(int64_t first_head, int64_t heads, int64_t first_query, int64_t queries) {
    const int64_t tasks = heads * queries, count = eligible_.count, k = call_.k;
    const auto means = floats(tasks * stride_), scores = floats(tasks * count);
    for (int64_t task = 0; task < tasks; ++task) {
      mean_of_group(first_head + task / queries, first_query + task % queries,
                    means.get() + task * stride_);
    }
    const Scoring scoring{{means.get(), queries, stride_}, first_head, heads, eligible_,
                          scores.get()};
    const int64_t chunks = (count + kCandidatesAtOnce - 1) / kCandidatesAtOnce;
    std::vector<Fault> faults(chunks);
    parallel_for(0, chunks, grain(kCandidatesAtOnce * tasks * memory_.dim),
                 [&](int64_t begin, int64_t end) {
      for (int64_t chunk = begin; chunk < end; ++chunk) {
        const int64_t first = chunk * kCandidatesAtOnce;
        const int64_t last = std::min(first + kCandidatesAtOnce, count);
        if (call_.check) faults[chunk] = bounds(memory_, eligible_, first, last);
        kernels_.score(memory_, scoring, first, last);
      }
    });
    for (const Fault& fault : faults) fault_ = graver(fault_, fault);
    if (fault_.kind != Fault::none) return;
    const int64_t work = k * kUsualTokens * group_ * memory_.dim * 2 + count;
    parallel_for(0, tasks, grain(work), [&](int64_t begin, int64_t end) {
      const auto scratch = floats(scratch_size()), heap = floats(k);
      std::vector<int32_t> places(k);
      for (int64_t task = begin; task < end; ++task) {
        const int64_t head = first_head + task / queries, query = first_query + task % queries;
        kernels_.select(scores.get() + task * count, count, k, heap.get(), places.data());
        select(head, query, places.data());
        read(head, query, query + 1, places.data(), k, scratch.get());
      }
    });
  }

  int64_t scratch_size() const { return attend_scratch(memory_.dim) + kQueryBatch * stride_; }

  // The query of one head, widened and scaled, then zeros.
  void widen(int64_t head, int64_t query, float* to) const {
    const int64_t place = row_ * call_.q_strides[0] + head * call_.q_strides[1] +
                          query * call_.q_strides[2];
    const char* from = static_cast<const char*>(call_.q) + place * size_of(call_.q_type);
    kernels_.widen(from, call_.q_type, memory_.dim, call_.factor, to);
    std::fill(to + memory_.dim, to + stride_, 0.f);
  }

  void mean_of_group(int64_t kv_head, int64_t query, float* to) const {
    widen(kv_head * group_, query, to);
    if (group_ == 1) return;
    const auto other = floats(stride_);
    for (int64_t member = 1; member < group_; ++member) {
      widen(kv_head * group_ + member, query, other.get());
      for (int64_t d = 0; d < memory_.dim; ++d) to[d] += other[d];
    }
    for (int64_t d = 0; d < memory_.dim; ++d) to[d] /= group_;
  }

  // Writes down what is read: the eligible candidates at k places, or all of them.
  void select(int64_t head, int64_t query, const int32_t* places) const {
    const int64_t k = call_.k, found = places ? k : eligible_.count;
    int64_t* to = call_.selected +
                  ((row_ * memory_.kv_heads + head) * call_.queries + query) * k;
    for (int64_t i = 0; i < found; ++i) to[i] = eligible_.block[places ? places[i] : i];
    std::fill(to + found, to + k, -1);
  }

  // Attends with queries [first, last) of all heads of a group, kQueryBatch at a time.
  void read(int64_t kv_head, int64_t first, int64_t last, const int32_t* places, int64_t count,
            float* scratch) const {
    float* data = scratch + attend_scratch(memory_.dim);
    void* out[kQueryBatch];
    float* lse[kQueryBatch];
    const int64_t all = (last - first) * group_;
    for (int64_t done = 0; done < all; done += kQueryBatch) {
      const int64_t some = std::min<int64_t>(kQueryBatch, all - done);
      for (int64_t i = 0; i < some; ++i) {
        const int64_t query = first + (done + i) / group_;
        const int64_t head = kv_head * group_ + (done + i) % group_;
        const int64_t place = (row_ * call_.heads + head) * call_.queries + query;
        widen(head, query, data + i * stride_);
        out[i] = static_cast<char*>(call_.out) + place * memory_.dim * size_of(call_.q_type);
        lse[i] = call_.lse + place;
      }
      kernels_.attend(memory_, kv_head, {data, some, stride_}, eligible_, places, count, scratch,
                      {out, lse, call_.q_type});
    }
  }

  const Call& call_;
  const Kernels& kernels_;
  const Memory& memory_;
  const int64_t row_, group_, stride_, workspace_;
  EligibleRow eligible_row_;
  Eligible eligible_{};
  Fault fault_;
};

}  // namespace

Fault attend(const Call& call, const Kernels& kernels) {
  std::vector<Fault> faults(call.batch);
  const int64_t threads = torch::stable::get_num_threads();
  const bool rows_in_parallel = call.batch >= threads && call.columns * threads <= kWorkspace / 32;
  const auto rows = [&](int64_t workspace) {
    return [&, workspace](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        faults[row] = Row(call, kernels, row, workspace).attend();
      }
    };
  };
  if (rows_in_parallel) {
    const int64_t blocks = std::min(call.k, call.columns) * kUsualTokens + call.columns;
    parallel_for(0, call.batch, grain(blocks * call.heads * call.queries * call.memory.dim),
                 rows(kWorkspace / threads));
  } else {
    rows(kWorkspace)(0, call.batch);
  }
  return std::accumulate(faults.begin(), faults.end(), Fault{}, graver);
}

}  // namespace dysk
