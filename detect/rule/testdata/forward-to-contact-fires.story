# A contact that looks internal leads outside, and so does a guest.
domain fabrikam.com
domain fabrikam.onmicrosoft.com
person amy "Amy Adams"
person bob "Bob Brown"
person cyd "Cyd Clark"
contact vendor@fabrikam.com to sales@vendor.example
person eve "Eve" eve@evil.example guest

mon 09:00 amy makes rule "Vendor" when subject_contains "order" redirect to vendor@fabrikam.com
mon 09:00 bob makes rule "Guest" when subject_contains "plan" forward to eve_evil.example#EXT#@fabrikam.com
expect forward-to-group-or-contact amy risk 55 says "through the contact vendor@fabrikam.com"
expect forward-to-group-or-contact bob risk 55 says "through the guest"
