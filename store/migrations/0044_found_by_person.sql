-- +goose Up

-- What is looked for by the person, and was looked through: a person's addresses, and where one rule sends mail.
create index person_address_person on person_address (tenant, person);
create index rule_target_person on rule_target (tenant, person, rule);

-- +goose Down

