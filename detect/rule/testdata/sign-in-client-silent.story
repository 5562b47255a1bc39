# The same programs and devices where they are nothing new, or are not let through without a second factor.
domain fabrikam.com
person ada "Ada Adams"
person ben "Ben Brown"
person cyd "Cyd Clark"
person dan "Dan Dunn"
person eva "Eva Ernst"
mon 09:00 ada signs in from Leeds mfa=asked app_id=11111111-0000-4000-8000-000000000001 app "Ledger"
mon 09:10 ben signs in from Leeds mfa=asked
mon 09:20 cyd signs in from Leeds mfa=asked compliant=true device="LAP-1"
tue 09:00 ada signs in from Leeds mfa=asked app_id=11111111-0000-4000-8000-000000000001 app "Ledger"
tue 09:10 ben signs in from Leeds mfa=asked
tue 09:20 cyd signs in from Leeds mfa=asked compliant=true device="LAP-1"
wed 09:00 ada signs in from Leeds mfa=asked app_id=11111111-0000-4000-8000-000000000001 app "Ledger"
wed 09:10 ben signs in from Leeds mfa=asked
wed 09:20 cyd signs in from Leeds mfa=asked compliant=true device="LAP-1"
thu 09:00 ada signs in from Leeds mfa=asked app_id=11111111-0000-4000-8000-000000000001 app "Ledger"
thu 09:05 eva signs in from Leeds mfa=asked app_id=11111111-0000-4000-8000-000000000002 app "Backup Wizard"
thu 09:10 ben signs in from Leeds mfa=asked
thu 09:20 cyd signs in from Leeds mfa=asked compliant=true device="LAP-1"
fri 09:00 ada signs in from Leeds mfa=asked app_id=11111111-0000-4000-8000-000000000001 app "Ledger"
fri 09:10 ben signs in from Leeds mfa=asked
fri 09:20 cyd signs in from Leeds mfa=asked compliant=true device="LAP-1"
sat 09:00 ada signs in from 203.0.113.9/GB client="Mobile Apps and Desktop clients" asn=5607 mfa=asked app_id=11111111-0000-4000-8000-000000000002 app "Backup Wizard"
sat 09:10 ben signs in from Leeds mfa=asked requirement=multiFactorAuthentication app_id=04b07795-8ddb-461a-bbee-02f9e1bf7b46 app "Microsoft Azure CLI" resource="Microsoft Graph"
sat 09:20 cyd signs in from Leeds mfa=asked compliant=false device="DESKTOP-8QK2"
sat 09:30 ada signs in from Leeds client="Mobile Apps and Desktop clients" mfa=asked app_id=11111111-0000-4000-8000-000000000003 app "Another"
sat 10:00 dan signs in from Leeds mfa=claim session=s-dan token=refreshToken app_id=29d9ed98-a469-4536-ade2-f981bc1d605e app "Microsoft Authentication Broker" resource="Device Registration Service"
sat 10:20 dan signs in from Leeds mfa=claim session=s-dan token=primaryRefreshToken compliant=true app_id=29d9ed98-a469-4536-ade2-f981bc1d605e app "Microsoft Authentication Broker" kind=non_interactive
silent application-unusual-for-person
silent single-factor-by-microsofts-client
silent administrator-on-unmanaged-device
silent refresh-token-made-primary
