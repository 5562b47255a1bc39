# Microsoft's own alerts and detections.
domain fabrikam.com
person amy "Amy Adams"

mon 09:00 "Microsoft" audits "Alert" as system target amy title="Password spray" severity="high" status="new"
mon 09:10 amy audits "RiskDetection" from 203.0.113.7 risk="high" risk_state="atRisk" risk_type="leakedCredentials"
expect microsoft-alert amy risk 65 says "Password spray"
expect risk-detected amy risk 65 says "leakedCredentials"
