SELECT 'it''s', "a""b" FROM t -- end
/* a /* b */ */ WHERE x = $$y$$ AND (a[1:2]).b