package learn

import (
	"fmt"
	"math"
	"sort"
)

// Debug prints how features' p are distributed.
func Debug(all []Day, neg func(*Day) bool) {
	var ps [features][]float64
	var js []float64
	top := map[int]int{}
	var n int
	for i := range all {
		d := &all[i]
		if !neg(d) {
			continue
		}
		n++
		for f := range features {
			ps[f] = append(ps[f], math.Exp(-d.z[f]))
		}
		js = append(js, d.P)
	}
	for f := range features {
		sort.Float64s(ps[f])
		fmt.Printf("%-10s", FeatureNames[f])
		for _, q := range []float64{0.1, 0.03, 0.01, 0.003, 0.001, 0.0003} {
			fmt.Printf("  %.4f→%.2f", q, share(ps[f], q)/q)
		}
		fmt.Println()
	}
	sort.Float64s(js)
	fmt.Printf("%-10s", "joint")
	for _, q := range []float64{0.1, 0.03, 0.01, 0.003, 0.001, 0.0003} {
		fmt.Printf("  %.4f→%.2f", q, share(js, q)/q)
	}
	fmt.Println(top, n, math.Inf(1))
}

// DebugTop prints which features lead among the worst 1 % of neg, and the z of pos.
func DebugTop(all []Day, neg func(*Day) bool, pos func(*Day) string) {
	var l []*Day
	sum := map[string]*[features + 2]float64{}
	for i := range all {
		d := &all[i]
		if neg(d) {
			l = append(l, d)
		}
		if k := pos(d); k != "" {
			if sum[k] == nil {
				sum[k] = new([features + 2]float64)
			}
			for f := range features {
				sum[k][f] += d.z[f]
			}
			sum[k][features] += d.joint
			sum[k][features+1]++
		}
	}
	sort.Slice(l, func(i, j int) bool { return l[i].P < l[j].P })
	for _, n := range []int{len(l) / 1000, len(l) / 100, len(l) / 20} {
		by := map[string]int{}
		for _, d := range l[:n] {
			by[FeatureNames[d.feature()]]++
		}
		fmt.Printf("top %d: %v, least joint %.2f\n", n, by, l[n].joint)
	}
	for k, s := range sum {
		fmt.Printf("%-13s", k)
		for f := range features {
			fmt.Printf(" %s %.1f", FeatureNames[f], s[f]/s[features+1])
		}
		fmt.Printf(" joint %.1f\n", s[features]/s[features+1])
	}
}

func share(s []float64, q float64) float64 {
	return float64(sort.SearchFloat64s(s, q)) / float64(len(s))
}

// Classes gives the z of each class of a day.
func Classes(d *Day) []float64 { return d.y[:] }
