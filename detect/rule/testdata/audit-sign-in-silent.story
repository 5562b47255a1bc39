# Ordinary sign-ins, a few mistakes, Microsoft's own machinery, and risk that was settled.
domain fabrikam.com
person amy "Amy Adams"
person bob "Bob Brown"

mon 09:00 amy audits "UserLoginFailed" from 203.0.113.7 error="50126"
mon 09:01 amy audits "UserLoginFailed" from 203.0.113.7 error="50126"
mon 09:02 amy audits "UserLoginFailed" from 203.0.113.7 error="50126"
mon 09:03 amy audits "UserLoginFailed" from 203.0.113.7 error="50126"
mon 09:04 amy audits "UserLoginFailed" from 203.0.113.7 error="50126"
mon 09:05 amy audits "UserLoginFailed" from 203.0.113.7 error="50126"
mon 09:06 amy audits "UserLoginFailed" from 203.0.113.7 error="50126"
mon 09:07 amy audits "UserLoginFailed" from 203.0.113.7 error="50126"
mon 09:08 amy audits "UserLoginFailed" from 203.0.113.7 error="50126"
mon 09:20 amy audits "UserLoggedIn" from 203.0.113.7 app "Browser" error="0" protocol="none" requirement="multiFactorAuthentication"
mon 09:30 amy audits "UserLoginFailed" from 203.0.113.7 error="500121"
mon 09:31 amy audits "UserLoggedIn" from 203.0.113.7 app "Browser" error="0"
mon 10:00 bob audits "UserLoggedIn" from 203.0.113.7 error="0" session="s1" resource="Microsoft Graph" app_id="x"
mon 10:01 bob audits "UserLoggedIn" from 203.0.113.9 error="0" session="s1" resource="Microsoft Graph" app_id="x"
mon 10:05 bob audits "UserLoggedIn" from 203.0.113.7 error="0" risk="high" risk_state="dismissed"
mon 10:10 bob audits "UserLoginFailed" from 203.0.113.7 app "IMAP4" error="50126"
mon 10:15 bob audits "UserLoginFailed" from 203.0.113.7 error="50057"
mon 10:20 bob audits "UserLoginFailed" from 203.0.113.7 error="50126" protocol="ropc"
mon 11:00 "u0@fabrikam.com" audits "UserLoginFailed" from 13.64.151.161 error="50053" asn="8075"
mon 11:01 "u1@fabrikam.com" audits "UserLoginFailed" from 13.64.151.161 error="50053" asn="8075"
mon 11:02 "u2@fabrikam.com" audits "UserLoginFailed" from 13.64.151.161 error="50053" asn="8075"
mon 11:03 "u3@fabrikam.com" audits "UserLoginFailed" from 13.64.151.161 error="50053" asn="8075"
mon 11:04 "u4@fabrikam.com" audits "UserLoginFailed" from 13.64.151.161 error="50053" asn="8075"
mon 11:05 "u5@fabrikam.com" audits "UserLoginFailed" from 13.64.151.161 error="50053" asn="8075"
mon 11:06 "u6@fabrikam.com" audits "UserLoginFailed" from 13.64.151.161 error="50053" asn="8075"
mon 11:07 "u7@fabrikam.com" audits "UserLoginFailed" from 13.64.151.161 error="50053" asn="8075"
mon 11:08 "u8@fabrikam.com" audits "UserLoginFailed" from 13.64.151.161 error="50053" asn="8075"
mon 11:09 "u9@fabrikam.com" audits "UserLoginFailed" from 13.64.151.161 error="50053" asn="8075"
mon 11:10 "u10@fabrikam.com" audits "UserLoginFailed" from 13.64.151.161 error="50053" asn="8075"
mon 11:11 "u11@fabrikam.com" audits "UserLoginFailed" from 13.64.151.161 error="50053" asn="8075"
mon 11:12 "u12@fabrikam.com" audits "UserLoginFailed" from 13.64.151.161 error="50053" asn="8075"
mon 11:13 "u13@fabrikam.com" audits "UserLoginFailed" from 13.64.151.161 error="50053" asn="8075"
mon 11:14 "u14@fabrikam.com" audits "UserLoginFailed" from 13.64.151.161 error="50053" asn="8075"
mon 11:15 "u15@fabrikam.com" audits "UserLoginFailed" from 13.64.151.161 error="50053" asn="8075"
mon 11:16 "u16@fabrikam.com" audits "UserLoginFailed" from 13.64.151.161 error="50053" asn="8075"
mon 11:17 "u17@fabrikam.com" audits "UserLoginFailed" from 13.64.151.161 error="50053" asn="8075"
mon 11:18 "u18@fabrikam.com" audits "UserLoginFailed" from 13.64.151.161 error="50053" asn="8075"
mon 11:19 "u19@fabrikam.com" audits "UserLoginFailed" from 13.64.151.161 error="50053" asn="8075"
silent
silent password-spray
silent brute-force
silent account-lockouts
silent disabled-account-sign-in
silent prompt-bombing
silent legacy-authentication
silent password-grant-sign-in
silent device-code-through-broker
silent device-code-sign-in
silent first-party-client-to-graph
silent session-from-several-addresses
silent risky-sign-in-let-through
silent risky-sign-in
silent several-risk-alerts
silent attack-tool-sign-in
