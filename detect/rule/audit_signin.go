package rule

import (
	"time"

	"tocsin.dev/detect"
)

// signInEvents judge sign-ins, from the unified audit log and from the directory's own log alike.
// Error codes: https://learn.microsoft.com/entra/identity-platform/reference-error-codes.
var signInEvents = []detect.Event{
	{Meta: passwordSpray, Judge: judgeSpray},
	{Meta: bruteForce, Judge: judgeBruteForce},
	{Meta: accountLockouts, Judge: judgeLockouts},
	{Meta: disabledAccountSignIn, Judge: judgeDisabled},
	{Meta: promptBombing, Judge: judgePrompts},
	{Meta: legacyAuthentication, Judge: judgeLegacy},
	{Meta: passwordGrant, Judge: judgePasswordGrant},
	{Meta: deviceCodeBroker, Judge: judgeDeviceCode},
	{Meta: deviceCodeSignIn, Judge: auditBeside},
	{Meta: firstPartyClientToGraph, Judge: judgeFirstPartyClient},
	{Meta: sessionFromSeveralAddresses, Judge: judgeSession},
	{Meta: riskySignInLetThrough, Judge: judgeRisk},
	{Meta: riskySignIn, Judge: auditBeside},
	{Meta: severalRiskAlerts, Judge: judgeRiskSeries},
	{Meta: riskDetected, Judge: judgeRiskDetection},
	{Meta: attackToolSignIn, Judge: judgeAgent},
	{Meta: phishingKit, Judge: judgeKit},
	{Meta: factorGuessed, Judge: judgeGuesses},
	{Meta: sessionAbroad, Judge: judgeSessionAbroad},
	{Meta: deadTokens, Judge: judgeDeadTokens},
	{Meta: sessionOutlived, Judge: judgeOutlived},
	{Meta: impossibleTravel, Judge: judgeHabit},
	{Meta: atypicalPlace, Judge: auditBeside},
	{Meta: anonymousNetwork, Judge: auditBeside},
	{Meta: singleFactorUnusual, Judge: auditBeside},
	{Meta: deviceCodeNewNetwork, Judge: auditBeside},
	{Meta: workloadNewNetwork, Judge: auditBeside},
	{Meta: workloadNewCredential, Judge: auditBeside},
	// Last, for it looks at what the others found suspicious.
	{Meta: methodAfterSuspicion, Judge: judgeRegistered},
	{Meta: deviceAfterSuspicion, Judge: auditBeside},
}

var signInOperations = []string{"UserLoggedIn", "UserLoginFailed", "RiskDetection", "User registered security info", "User registered all required security info", "User changed default security info",
	"Register device", "Add registered owner to device", "Add registered users to device", "Update StsRefreshTokenValidFrom Timestamp", "Disable account"}

const (
	noteFailed   = "sign-in-failed" // address or account → accounts
	noteHouse    = "signs-in-from"  // address → accounts, once a day each
	noteSprayed  = "sprayed"        // address: passwords were tried from it on many accounts
	noteLocked   = "locked"         // one list
	noteDisabled = "disabled-tried" // address → accounts
	noteSuccess  = "signed-in"      // address → accounts
	noteDenied   = "prompt-denied"  // account
	noteCode     = "device-code"    // account
	noteSession  = "session"        // session → addresses
	noteRisk     = "risk"           // account
	sprayUsers   = 10               // accounts per address and hour
	bruteTries   = 10               // failures per account and hour
	lockouts     = 20               // refusals per hour
	disabledTry  = 3                // tries per address
	promptTries  = 5                // denials per half hour
	riskSeries   = 3                // alerts per hour
	longMemory   = 14 * 24 * time.Hour
)

func signIn(r *detect.Record) bool {
	return r.Operation == "UserLoggedIn" || r.Operation == "UserLoginFailed"
}

func succeeded(r *detect.Record) bool {
	e := auditText(r, "error")
	return r.Operation == "UserLoggedIn" && (e == "" || e == "0")
}

// microsoftNetwork says whether the autonomous system is Microsoft's own, whose machinery tries on behalf of others.
func microsoftNetwork(r *detect.Record) bool {
	asn := auditText(r, "asn")
	return asn == "8075" || asn == "8068" || asn == "8069" || asn == "12076"
}

const (
	visualStudioCode = "aebc6443-996d-45c2-90f0-388ff96faa56"
	microsoftGraph   = "Microsoft Graph"
)
