package plant

import "sort"

// AUC is the area under the curve: the chance that one of hits scores above one of others, ties half.
func AUC(hits, others []float64) float64 {
	if len(hits) == 0 || len(others) == 0 {
		return 0
	}
	s := append([]float64(nil), others...)
	sort.Float64s(s)
	sum := 0.0
	for _, h := range hits {
		lo := sort.SearchFloat64s(s, h)
		hi := lo + sort.Search(len(s)-lo, func(i int) bool { return s[lo+i] > h })
		sum += float64(lo) + float64(hi-lo)/2
	}
	return sum / float64(len(hits)) / float64(len(s))
}

// Bar is the score that no more than the share of others passes.
func Bar(others []float64, share float64) float64 {
	s := append([]float64(nil), others...)
	sort.Sort(sort.Reverse(sort.Float64Slice(s)))
	if len(s) == 0 {
		return 0
	}
	return s[min(len(s)-1, int(share*float64(len(s))))]
}
