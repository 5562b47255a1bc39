package learn

import "math"

func exp2(x float64) float64 { return math.Exp2(x) }

// surprise is −log P(X ≥ x) for a negative binomial X with that mean and size (variance mean + mean²/size).
func surprise(x, mean, size float64) float64 {
	if x <= 0 {
		return 0
	}
	mean = max(mean, 1e-6)
	lx, _ := math.Lgamma(x + size)
	l1, _ := math.Lgamma(x + 1)
	l0, _ := math.Lgamma(size)
	first := lx - l1 - l0 + size*math.Log(size/(size+mean)) + x*math.Log(mean/(size+mean))
	sum, term, q := 1.0, 1.0, mean/(size+mean)
	for i := range 2000 {
		y := x + float64(i)
		term *= (y + size) / (y + 1) * q
		sum += term
		if term < 1e-6*sum {
			break
		}
	}
	return max(0, -first-math.Log(sum))
}

// logNB is the log probability of x under a negative binomial; logPoisson under Poisson.
func logNB(x, mean, size float64) float64 {
	mean = max(mean, 1e-6)
	lx, _ := math.Lgamma(x + size)
	l1, _ := math.Lgamma(x + 1)
	l0, _ := math.Lgamma(size)
	return lx - l1 - l0 + size*math.Log(size/(size+mean)) + x*math.Log(mean/(size+mean))
}

func logPoisson(x, mean float64) float64 {
	mean = max(mean, 1e-6)
	l1, _ := math.Lgamma(x + 1)
	return x*math.Log(mean) - mean - l1
}

// The histogram of a [tail] goes from 0 nats to 80 in steps of an eighth.
const (
	tailSteps = 640
	tailStep  = 0.125
)

// tail is the distribution of a statistic over a tenant's person-days, decayed: what share of them has at least so much.
// Beyond the last tenth of a percent, where there are too few to count, an exponential tail with the mean excess over a high
// threshold goes on (peaks over threshold; Pickands 1975, https://doi.org/10.1214/aos/1176343003, with shape 0). Before much
// was seen, pseudo-days with an exponential tail stand in.
type tail struct {
	N     [tailSteps]float32
	Total float32

	above [tailSteps + 1]float64 // the share at or above each step, as of the last settle
	fit   float64                // from here on the exponential holds
	rate  float64                // per nat
}

// The prior: so many person-days, whose statistic has this rate of decline per nat.
const (
	priorDays = 20
	priorRate = 0.6
)

func (t *tail) add(s float64, weight float32) {
	t.N[min(max(0, int(s/tailStep)), tailSteps-1)] += weight
	t.Total += weight
}

func (t *tail) fade(f float32) {
	for i := range t.N {
		t.N[i] *= f
	}
	t.Total *= f
}

// settle makes the distribution ready to be asked.
func (t *tail) settle() {
	sum := 0.0
	all := float64(t.Total) + priorDays
	for i := tailSteps - 1; i >= 0; i-- {
		sum += float64(t.N[i])
		t.above[i] = (sum + priorDays*math.Exp(-priorRate*float64(i)*tailStep)) / all
	}
	// The threshold has 5 % of the person-days above it, or a third of those that have the statistic at all; the tail's rate is
	// that between there and a fifth as many. What few days are beyond, attacks perhaps, does not bend it.
	high := min(0.05, t.above[1]/3)
	low := high / 5
	at, to := 0, 0
	for at < tailSteps-1 && t.above[at+1] >= high {
		at++
	}
	for to = at; to < tailSteps-1 && t.above[to+1] >= low; {
		to++
	}
	to = max(to, at+8)
	t.fit = float64(at) * tailStep
	t.rate = 2.0
	if to < tailSteps {
		t.rate = min(4.0, math.Log(t.above[at]/t.above[to])/(float64(to-at)*tailStep))
	}
}

// z is −log of the share of person-days with at least s.
func (t *tail) z(s float64) float64 {
	if s <= 0 || t.above[0] == 0 {
		return 0
	}
	if s > t.fit {
		return -math.Log(t.above[int(t.fit/tailStep)]) + t.rate*(s-t.fit)
	}
	i := int(s / tailStep)
	part := s/tailStep - float64(i)
	return -math.Log(t.above[i])*(1-part) - math.Log(t.above[min(i+1, tailSteps-1)])*part
}

// mixture is the most that the share of an attack in a day can explain: the largest over e of Σ log(1−e+e·exp(l)), for l the
// log-likelihood ratios of what the day had (a generalised likelihood ratio; Donoho and Jin 2004 on sparse mixtures,
// https://doi.org/10.1214/009053604000000265). It is never below 0.
func mixture(l []float64) float64 {
	best := 0.0
	for _, e := range [...]float64{0.05, 0.15, 0.4, 0.8} {
		sum := 0.0
		for _, x := range l {
			sum += math.Log(1 - e + e*math.Exp(x))
		}
		best = max(best, sum)
	}
	return best
}

// The histogram of a [strength] goes from 0 nats to 40 in steps of a half.
const (
	strengthSteps = 80
	strengthStep  = 0.5
)

// strength is how far out attacks of a class stand in this tenant: the distribution, decayed, of −log of the probability that a
// day would have, were a small attack of that class in it. Where few were tried it is broad.
type strength struct {
	N [strengthSteps]float32

	ratio [strengthSteps]float64 // log of the likelihood ratio of an attack against a usual day, at the lower end of each step
}

func (t *strength) add(y float64) {
	t.N[min(max(0, int(y/strengthStep)), strengthSteps-1)]++
}

func (t *strength) fade(f float32) {
	for i := range t.N {
		t.N[i] *= f
	}
}

// settle makes the ratios ready. Usual days fall off as e^−y; the density of attacks is smoothed over four nats, a fifth of it is
// spread over the first sixteen, and what is odder never counts less.
func (t *strength) settle() {
	const broad, tried = 16.0, 20.0
	sum := 0.0
	for _, x := range t.N {
		sum += float64(x)
	}
	most := math.Inf(-1)
	for i := range t.ratio {
		near, weight := 0.0, 0.0
		for k := -4; k <= 4; k++ {
			w := float64(5 - max(k, -k))
			weight += w
			if j := i + k; j >= 0 && j < len(t.N) {
				near += w * float64(t.N[j])
			}
		}
		density := (0.8*near/weight/strengthStep + (0.2*sum+tried)/broad) / (sum + tried)
		most = max(most, float64(i)*strengthStep+math.Log(density))
		t.ratio[i] = most
	}
}

// at is the log of the likelihood ratio of an attack.
func (t *strength) at(y float64) float64 {
	i := int(y / strengthStep)
	if i >= strengthSteps-1 {
		return t.ratio[strengthSteps-1] + y - (strengthSteps-1)*strengthStep
	}
	part := y/strengthStep - float64(i)
	return t.ratio[i]*(1-part) + t.ratio[i+1]*part
}
