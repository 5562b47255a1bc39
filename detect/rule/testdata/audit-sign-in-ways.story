# Ways of signing in that attackers use.
domain fabrikam.com
person amy
person bob
person cyd
person dan
person eva
person fay
person gil
person hal

mon 03:00 amy signs in from 203.0.113.7/NL client="Authenticated SMTP"
mon 03:10 bob audits "UserLoggedIn" from 203.0.113.7 error="0" protocol="ropc" requirement="singleFactorAuthentication"
mon 03:20 cyd audits "UserLoggedIn" from 203.0.113.7 error="0" protocol="deviceCode" app_id="29d9ed98-a469-4536-ade2-f981bc1d605e"
mon 03:30 dan audits "UserLoggedIn" from 203.0.113.7 error="0" protocol="deviceCode" app_id="04b07795-8ddb-461a-bbee-02f9e1bf7b46" app="Azure CLI"
mon 03:40 eva audits "UserLoggedIn" from 203.0.113.7 error="0" app_id="aebc6443-996d-45c2-90f0-388ff96faa56" resource="Microsoft Graph"
mon 03:50 fay audits "UserLoggedIn" from 203.0.113.7 error="0" session="s1" resource="Microsoft Graph" app_id="x"
mon 03:55 fay audits "UserLoggedIn" from 198.51.100.9 error="0" session="s1" resource="Microsoft Graph" app_id="x"
mon 04:00 gil audits "UserLoggedIn" from 203.0.113.7 error="0" risk="high" risk_state="atRisk"
mon 04:10 gil audits "UserLoginFailed" from 203.0.113.7 error="53003" risk="high" risk_state="atRisk"
mon 04:20 gil audits "UserLoginFailed" from 203.0.113.7 error="53003" risk="high" risk_state="atRisk"
mon 04:30 hal audits "UserLoggedIn" from 203.0.113.7 agent "azurehound/2.1" error="0"
expect legacy-authentication amy
expect password-grant-sign-in bob
expect device-code-through-broker cyd risk 65
expect device-code-sign-in dan
expect first-party-client-to-graph eva
expect session-from-several-addresses fay
expect risky-sign-in-let-through gil risk 65
expect risky-sign-in gil
expect several-risk-alerts gil risk 65
expect attack-tool-sign-in hal risk 65
